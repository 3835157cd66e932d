"""The cost of a debate beyond its models, measured on this machine as ratios within one run."""
