"""What a user writes, as closed specs: read from YAML, checked offline, errors with their lines."""
