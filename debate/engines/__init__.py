"""Models behind one protocol: what they are asked, what they answer, which ones there are."""
