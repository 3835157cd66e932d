"""Specs: what a user writes, closed and checked offline, every error with file and line."""
