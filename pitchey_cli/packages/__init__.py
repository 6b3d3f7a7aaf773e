"""Packages that were fetched for programs of the code service, kept for the next job of the same organisation.

    unpacking   an archive from a slot -> files below a directory, and nowhere else
    store       directories by key: found, published at once, and removed when nobody has asked for long

What is asked for, and the key, is processors.code.wanted; how it is fetched, processors.code.packages.
"""
