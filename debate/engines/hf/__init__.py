"""Causal language models in this process, by Hugging Face transformers."""
