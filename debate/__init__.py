"""Multi-agent debates between distinct models, and what they do to confidence in errors."""
