"""What runs models: one module per format of file. See registry.py."""
