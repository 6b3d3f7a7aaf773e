"""PDF/A-2b out of any PDF: mended where it can be, and drawn anew, page by page, where it cannot.

    mending (structure) -> faces (fonts that are missing) -> findings (which pages are still not good)
        -> redrawing (those, as pictures with invisible text) -> judged once more as it was written

The judge is pikepdf's validator, which approves of nothing that it does not know.
"""
