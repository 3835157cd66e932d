"""Causal language models in this process: load, encode, generate, score. Loads torch."""
