"""What a text calls its encoding, as browsers understand it: nothing else is an encoding (WHATWG Encoding, 4.2)."""

from __future__ import annotations

import re

#: the codecs of Python that are theirs, each with what it is called; a label of an older standard means its successor
_LABELS = {
    "utf-8": "utf8 unicode-1-1-utf-8 unicode11utf8 unicode20utf8 x-unicode20utf8",
    "cp1252": "ascii us-ascii ansi_x3.4-1968 latin1 l1 cp819 ibm819 csisolatin1 iso-ir-100 x-user-defined",
    "cp1254": "latin5 l5 csisolatin5 iso-ir-148",
    "cp874": "dos-874 windows-874 tis-620",
    "cp866": "866 ibm866 csibm866",
    "iso8859_2": "latin2 l2 csisolatin2 iso-ir-101",
    "iso8859_3": "latin3 l3 csisolatin3 iso-ir-109",
    "iso8859_4": "latin4 l4 csisolatin4 iso-ir-110",
    "iso8859_5": "cyrillic csisolatincyrillic iso-ir-144",
    "iso8859_6": "arabic asmo-708 ecma-114 csisolatinarabic iso-ir-127",
    "iso8859_7": "greek greek8 elot_928 ecma-118 sun_eu_greek csisolatingreek iso-ir-126",
    "iso8859_8": "hebrew visual logical csisolatinhebrew csiso88598e csiso88598i iso-ir-138",
    "iso8859_10": "latin6 l6 csisolatin6 iso-ir-157",
    "iso8859_15": "l9 csisolatin9",
    "koi8_r": "koi koi8 koi8-r cskoi8r",
    "koi8_u": "koi8-u koi8-ru",
    "mac_roman": "mac macintosh x-mac-roman csmacintosh",
    "mac_cyrillic": "x-mac-cyrillic x-mac-ukrainian",
    "gb18030": "gb2312 gb_2312 gb_2312-80 gbk x-gbk chinese csgb2312 csiso58gb231280 iso-ir-58",
    "big5hkscs": "big5 big5-hkscs cn-big5 csbig5 x-x-big5",
    "euc_jp": "euc-jp x-euc-jp cseucpkdfmtjapanese",
    "iso2022_jp": "iso-2022-jp csiso2022jp",
    "cp932": "shift_jis shift-jis sjis x-sjis ms932 ms_kanji windows-31j csshiftjis",
    "cp949": "euc-kr korean ks_c_5601-1987 ks_c_5601-1989 ksc5601 ksc_5601 windows-949 cseuckr iso-ir-149",
}
_CODECS = {label: codec for codec, labels in _LABELS.items() for label in (codec, *labels.split())}
_ISO = re.compile(r"iso[-_]?8859-?(\d{1,2})(?:-[ei])?")
_WINDOWS = re.compile(r"(?:windows-|x-cp|cp)(125\d)")
_ISO_SUCCESSORS = {1: "cp1252", 9: "cp1254", 11: "cp874"}
_ISO_PARTS = frozenset({2, 3, 4, 5, 6, 7, 8, 10, 13, 14, 15, 16})
# A label that is read as bytes is in no UTF-16, whatever it says: HTML 13.2.3.2.
_WIDE = frozenset({"utf-16", "utf-16le", "utf-16be", "ucs-2", "unicode", "iso-10646-ucs-2", "csunicode"})


def codec_of(label: str) -> str | None:
    """Python's codec for what a text says of itself; None where browsers do not know it."""
    label = label.strip().lower()
    if label in _WIDE:
        return "utf-8"
    if found := _WINDOWS.fullmatch(label):
        return f"cp{found[1]}" if found[1] != "1259" else None
    if found := _ISO.fullmatch(label):
        part = int(found[1])
        return _ISO_SUCCESSORS.get(part) or (f"iso8859_{part}" if part in _ISO_PARTS else None)
    return _CODECS.get(label)
