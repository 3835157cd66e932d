"""Keep keys out of what is written down."""

from __future__ import annotations

from debate.config.secrets import HIDDEN, redacted

__all__ = ["HIDDEN", "redacted"]
