"""One real model behind each engine and server, held against one another."""
