"""Rounds as coroutines, and the verdicts on them."""
