"""What models are good for: one small module per task. See registry.py."""
