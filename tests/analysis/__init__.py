"""Analysis on agents whose truth is set."""
