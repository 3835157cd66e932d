"""Everything that is done with a run: plan, execute, forecast, probe, verify, and report it."""
