"""Models on Ray: placement, actors, restarts. The only package that imports ray, and only late."""
