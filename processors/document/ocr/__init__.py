"""Reading pictures of text: from a page to words with places, and back onto the page as a hidden layer."""
