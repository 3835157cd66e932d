"""What a debate costs beyond its models: measured on the machine at hand, as ratios of one run."""
