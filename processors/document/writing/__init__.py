"""Documents as files: pure functions from pages to text, page by page, so that the longest takes no more memory.

markdown    GitHub's flavour, with tables; what a cell spans is repeated
html        one page of HTML5 without style or script
text        the words alone
as_json     pages, blocks, tables and words with their boxes
docx        one file with its styles, lists, pictures and links
tables      one table as CSV or JSON
"""
