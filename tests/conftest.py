"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("debate", deadline=None, derandomize=True, max_examples=60)
settings.load_profile("debate")
