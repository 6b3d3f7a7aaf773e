"""What a file is called that is no media file."""

from __future__ import annotations

import pytest

from processors.ffmpeg.unreadable import guess


@pytest.mark.parametrize(
    ("head", "says"),
    [
        (b"#EXTM3U\n#EXTINF:10,\nfile:///etc/passwd\n", "playlist"),
        (b"ffconcat version 1.0\nfile /etc/passwd\n", "playlist"),
        (b"file '/etc/passwd'\n", "playlist"),
        (b'<?xml version="1.0"?>\n<MPD xmlns="urn:mpeg:dash"></MPD>', "playlist"),
        (b'\xef\xbb\xbf<?xml version="1.0"?><!DOCTYPE svg [<!ENTITY a SYSTEM "x">]><svg/>', "SVG"),
        (b"%PDF-1.7\n%\xe2\xe3", "document service"),
        (b"\xff\xd8\xff\xe0\x00\x10JFIF", "picture"),
        (b"PK\x03\x04\x14\x00", "ZIP"),
        (b"<!doctype html><html>", "web page"),
        ("Grüße\tan alle\nzweite Zeile €".encode(), "text"),
        ("Grüße €".encode()[:-1], "text"),
        (b"\x00\x01\x02\x03", ""),
        (b"\xfe\xfe\xfe\xfe\xfe\xfe\xfe\xfe", ""),
        (b"", ""),
    ],
)
def test_a_file_is_called_what_it_is(head: bytes, says: str) -> None:
    found = guess(head)
    assert says in found if says else found == ""
