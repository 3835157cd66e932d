"""Agents: their prompts, what they see of a debate, how their replies are read and probed."""
