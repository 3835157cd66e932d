"""The pictures of a report, each drawn from the same data."""
