"""Makes the repository of default models, out of packages that ship their weights. Runs when an image is built."""
