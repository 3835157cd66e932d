"""The pictures of a report, one in each file, all from the same material."""
