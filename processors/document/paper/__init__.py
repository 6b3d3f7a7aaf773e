"""PDFs that are written: of pages of others, of pictures, in parts; with what leads nowhere or does harm taken away."""
