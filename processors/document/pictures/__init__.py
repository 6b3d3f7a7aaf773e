"""Pictures as documents: each frame is a page of a PDF, which then goes the way of all PDFs."""
