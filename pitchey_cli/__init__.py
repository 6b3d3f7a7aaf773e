"""Pitchey: a media-processing back end behind one command."""

__version__ = "0.1.0"
