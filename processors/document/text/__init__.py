"""Texts as pages: plain, Markdown, HTML. Nothing that they name is fetched.

reading     which of them, and in which encoding
plain       paragraphs between empty lines
markdown    CommonMark with GitHub's tables
html        what a browser would show of it, without running or loading anything
"""
