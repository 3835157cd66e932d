"""People as engines: the queue of one person, asked in the terminal or on a page."""
