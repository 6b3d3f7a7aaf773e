"""Texts in whatever encoding they say, as a browser would read them; or told that nobody knows."""

from __future__ import annotations

import pytest

from processors.document.text.charsets import codec_of
from processors.document.text.reading import decoded
from processors.worker.context import Rejected

TEXT = "テキスト、です。"


def _html(charset: str, body: bytes) -> bytes:
    return b"<html><head><meta charset=" + charset.encode() + b"></head><p>" + body


@pytest.mark.parametrize(
    ("charset", "body", "text"),
    [
        ("iso-8859-1", b"\x93so\x94 \x80", "“so” €"),  # Windows' Latin, whatever it is called
        ("ISO_8859-9", b"\xfd", "ı"),
        ("windows-1251", "Москва".encode("cp1251"), "Москва"),
        ("gb2312", "镕".encode("gb18030"), "镕"),  # beyond what GB 2312 had
        ("Shift_JIS", TEXT.encode("cp932"), TEXT),
        ("ks_c_5601-1987", "똠".encode("cp949"), "똠"),
        ("utf-16", "é".encode(), "é"),
        *((charset, "é \\u00e9".encode(), "é \\u00e9") for charset in ("idna", "punycode", "undefined", "utf-32")),
        *((charset, "é \\u00e9".encode(), "é \\u00e9") for charset in ("unicode_escape", "rot13", "utf-7", "nonsense")),
    ],
)
def test_what_html_says_of_itself_means_what_browsers_take_it_for(charset: str, body: bytes, text: str) -> None:
    found, is_guessed = decoded(_html(charset, body), "a.html", is_html=True)
    assert (found.partition("<p>")[2], is_guessed) == (text, False)


def test_the_head_of_xhtml_says_it_too() -> None:
    data = b'<?xml version="1.0" encoding="windows-1251"?><p>' + "Москва".encode("cp1251")
    assert decoded(data, "a.xhtml", is_html=True)[0].endswith("Москва")


def test_a_guess_is_one_and_what_cannot_be_guessed_is_refused() -> None:
    assert decoded("Ärger".encode(), "a.txt") == ("Ärger", False)
    assert decoded("Ärger".encode("cp1252"), "a.txt") == ("Ärger", True)
    with pytest.raises(Rejected, match=r"a\.txt is a text that is not UTF-8"):
        decoded(TEXT.encode("cp932"), "a.txt")


def test_every_label_leads_to_a_codec() -> None:
    for label in (
        "latin1",
        "l9",
        "iso-8859-8-i",
        "iso8859-16",
        "koi8-u",
        "x-mac-cyrillic",
        "big5",
        "iso-2022-jp",
        "x-gbk",
    ):
        codec = codec_of(label)
        assert codec is not None
        assert b"a".decode(codec) == "a"
    assert codec_of("iso-8859-12") is codec_of("windows-1259") is None
