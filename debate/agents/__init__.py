"""Agents: prompt sets, views of a debate, reading of replies, and confidence probes."""
