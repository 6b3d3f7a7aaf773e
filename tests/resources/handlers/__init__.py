"""Handlers of a test service: each does one thing that an instance must survive."""
