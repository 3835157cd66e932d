"""Models on Ray: placement, actors, restarts. Only this package imports ray, and only late."""
