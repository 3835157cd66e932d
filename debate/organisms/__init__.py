"""Model organisms: small language models on arithmetic, their training and evaluation."""
