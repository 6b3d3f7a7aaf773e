"""DOCX (ECMA-376, part 1) as blocks.

styles      what a paragraph is called: a heading, a caption, code
numbering   the labels of lists and numbered headings
runs        a paragraph as spans, and what is anchored in it
reading     the whole
"""
