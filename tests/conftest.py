"""What all tests share."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("debate", deadline=None, derandomize=True, max_examples=60)
settings.register_profile("fuzz", deadline=None, max_examples=5_000)
settings.load_profile("debate")
