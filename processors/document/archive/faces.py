"""Fonts that a PDF names and does not have: the Liberation faces are as wide as those that it may leave out."""

from __future__ import annotations

import io
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pikepdf
from fontTools import agl, subset
from fontTools.encodings.MacRoman import MacRoman
from fontTools.encodings.StandardEncoding import StandardEncoding
from fontTools.ttLib import TTFont
from pikepdf import Array, Dictionary, Name, Stream

_FOLDERS = (Path("/usr/share/fonts/truetype/liberation"), Path("/usr/share/fonts/truetype/liberation2"))
_SIMPLE = frozenset({"/Type1", "/TrueType", "/MMType1"})
#: how names of fonts begin, with the face that is as wide; letters alone, in small ones
_FAMILIES = (
    (re.compile(r"^(arial|helvetica)(?!narrow|black|unicode|rounded|condensed|neue|inserat|light)"), "LiberationSans"),
    (re.compile(r"^times(newroman)?(?!ten)"), "LiberationSerif"),
    (re.compile(r"^courier(new)?"), "LiberationMono"),
)
_FILES = ("FontFile", "FontFile2", "FontFile3")
_NONSYMBOLIC, _ITALIC, _FIXED, _SERIF = 32, 64, 1, 2  # flags of a font, ISO 32000-1, table 123


def embed(pdf: pikepdf.Pdf) -> int:
    """Put faces in for fonts that are not there; say how many."""
    faces = _Faces(pdf)
    count = 0
    for each in pdf.objects:
        if not isinstance(each, Dictionary) or each.get("/Type") != Name.Font:
            continue
        if str(each.get("/Subtype", "")) in _SIMPLE and not _is_embedded(each):
            count += faces.replace(each)
    return count


def face_of(name: str) -> str | None:
    """The face that is as wide as a font, by the font's name; None where there is none.

    >>> face_of("ABCDEF+TimesNewRomanPS-BoldItalicMT")
    'LiberationSerif-BoldItalic'
    """
    plain = re.sub(r"[^a-z]", "", re.sub(r"^[A-Z]{6}\+", "", name).lower())
    for pattern, family in _FAMILIES:
        if pattern.match(plain):
            is_bold, is_italic = "bold" in plain, "italic" in plain or "oblique" in plain
            return f"{family}-{'Bold' * is_bold}{'Italic' * is_italic}" + "Regular" * (not is_bold and not is_italic)
    return None


def _is_embedded(font: Any) -> bool:
    descriptor = font.get("/FontDescriptor")
    return isinstance(descriptor, Dictionary) and any(f"/{key}" in descriptor for key in _FILES)


class _Faces:
    def __init__(self, pdf: pikepdf.Pdf) -> None:
        self._pdf = pdf
        self._made: dict[tuple[str, tuple[int, ...]], tuple[Stream, dict[int, int], dict[str, int]]] = {}

    def replace(self, font: Any) -> bool:
        """Make a font one that is there, if its face is known and has what it shows."""
        face = face_of(str(font.get("/BaseFont", ""))[1:])
        path = next((folder / f"{face}.ttf" for folder in _FOLDERS if (folder / f"{face}.ttf").exists()), None)
        names = _names(font)
        if face is None or path is None or names is None:
            return False
        characters = {code: ord(text) for code, name in names.items() if len(text := agl.toUnicode(name)) == 1}
        program, widths, measures = self._program(path, tuple(sorted(set(characters.values()))))
        usual = _windows()
        changes: list[Any] = []
        for code, name in sorted(names.items()):
            if usual.get(code) != name:
                changes += [code, Name(f"/{name}")]
        called = Name(f"/{face}")
        descriptor = Dictionary(
            Type=Name.FontDescriptor,
            FontName=called,
            Flags=_NONSYMBOLIC
            | (_ITALIC if "Italic" in face else 0)
            | (_FIXED if "Mono" in face else 0)
            | (_SERIF if "Serif" in face else 0),
            FontBBox=Array([measures[key] for key in ("left", "bottom", "right", "top")]),
            ItalicAngle=-12 if "Italic" in face else 0,
            Ascent=measures["ascent"],
            Descent=measures["descent"],
            CapHeight=measures["capitals"],
            StemV=140 if "Bold" in face else 80,
            FontFile2=program,
        )
        for key in list(font.keys()):
            if key not in ("/Type", "/ToUnicode"):
                del font[key]
        font["/Subtype"], font["/BaseFont"] = Name.TrueType, called
        font["/FirstChar"], font["/LastChar"] = 0, 255
        font["/Widths"] = Array([widths.get(characters.get(code, -1), widths[-1]) for code in range(256)])
        encoding = Dictionary(Type=Name.Encoding, BaseEncoding=Name.WinAnsiEncoding)
        if changes:
            encoding["/Differences"] = Array(changes)
        font["/Encoding"] = encoding
        font["/FontDescriptor"] = self._pdf.make_indirect(descriptor)
        return True

    def _program(self, path: Path, characters: tuple[int, ...]) -> tuple[Stream, dict[int, int], dict[str, int]]:
        key = str(path), characters
        if key not in self._made:
            options = subset.Options(hinting=False, layout_features=[], notdef_outline=True, glyph_names=False)
            options.drop_tables += ["FFTM", "GPOS", "GSUB", "GDEF"]
            with TTFont(path, lazy=True) as face:
                cutter = subset.Subsetter(options)
                cutter.populate(unicodes=characters)
                cutter.subset(face)
                with io.BytesIO() as file:
                    face.save(file)
                    data = file.getvalue()
            with TTFont(io.BytesIO(data)) as face:
                scale = 1000 / face["head"].unitsPerEm
                advances = {name: round(width * scale) for name, (width, _) in face["hmtx"].metrics.items()}
                widths = {code: advances[name] for code, name in face.getBestCmap().items()}
                widths[-1] = advances[".notdef"]
                head, lines = face["head"], face["hhea"]
                measures = {
                    "left": round(head.xMin * scale),
                    "bottom": round(head.yMin * scale),
                    "right": round(head.xMax * scale),
                    "top": round(head.yMax * scale),
                    "ascent": round(lines.ascent * scale),
                    "descent": round(lines.descent * scale),
                    "capitals": round(getattr(face["OS/2"], "sCapHeight", 0) * scale) or 700,
                }
            self._made[key] = self._pdf.make_stream(data, Length1=len(data)), widths, measures
        return self._made[key]


def _names(font: Any) -> dict[int, str] | None:
    """The glyphs of a font by their codes; None where a name is not one that everybody knows."""
    encoding = font.get("/Encoding")
    if isinstance(encoding, Dictionary):
        base, changes = encoding.get("/BaseEncoding"), encoding.get("/Differences", Array())
    else:
        base, changes = encoding, Array()
    names = dict(_base(str(base) if isinstance(base, Name) else "", str(font.get("/Subtype", ""))))
    code = 0
    for each in changes:
        if isinstance(each, Name):
            if not agl.toUnicode(str(each)[1:]) and str(each) != "/.notdef":
                return None
            names[code] = str(each)[1:]
            code += 1
        else:
            code = int(each)
    return {code: name for code, name in names.items() if 0 <= code < 256 and name != ".notdef"}


def _base(name: str, subtype: str) -> Mapping[int, str]:
    if name == "/MacRomanEncoding":
        return dict(enumerate(MacRoman))
    if name == "/WinAnsiEncoding" or (not name and subtype == "/TrueType"):
        return _windows()
    return dict(enumerate(StandardEncoding))


def _windows() -> dict[int, str]:
    """ISO 32000-1, annex D: Windows' code page, with a bullet where that has nothing."""
    names = {}
    for code in range(32, 256):
        try:
            names[code] = agl.UV2AGL.get(ord(bytes([code]).decode("cp1252")), "bullet")
        except UnicodeDecodeError:
            names[code] = "bullet"
    return names | {127: "bullet", 160: "space", 173: "hyphen", 39: "quotesingle", 96: "grave"}
