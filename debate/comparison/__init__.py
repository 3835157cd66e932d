"""Runs made at different times, held against each other."""
