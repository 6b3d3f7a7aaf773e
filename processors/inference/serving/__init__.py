"""Models that stay loaded: the companion of an inference instance, and how attempts speak to it."""
