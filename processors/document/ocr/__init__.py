"""Reading pictures of text: from a page to words with places and confidence, and back onto the page as a hidden layer."""
