"""Office formats: read by ourselves, laid out by LibreOffice.

profile     what LibreOffice is told: nothing of a document is run, nothing is fetched
kit         LibreOffice as a library of this process
server      a process beside the attempts that has LibreOffice loaded, and forks for each document
conversion  what an attempt asks it for
"""
