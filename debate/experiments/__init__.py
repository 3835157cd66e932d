"""Several runs, or several arms of one, held against each other."""
