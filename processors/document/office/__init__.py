"""Office formats: read by ourselves, laid out by LibreOffice.

package     archives of XML, within bounds
entities    XML that declares what it may not
locking     whether there is a password
papers      whether it says how large its pages are
docx, pptx, xlsx, epub
            readers: from a file to pages
reading     which of them reads what, apart
profile     what LibreOffice is told: nothing of a document is run, nothing is fetched
kit         LibreOffice as a library of a process
server      a process beside the attempts that has LibreOffice loaded, and forks for each document
asking      what an attempt asks it for
conversion  any kind of document as a PDF, and as the format that is read
"""
