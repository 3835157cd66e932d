"""The parts wired together: from a configuration to a finished run directory."""
