"""Writes small PDFs for tests: pages of text where one wants it, lines, tags, outlines; and hostile ones."""

from __future__ import annotations

import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

_FONTS = {"F": "Helvetica", "B": "Helvetica-Bold", "I": "Helvetica-Oblique", "M": "Courier"}


@dataclass
class Leaf:
    """A page to be; y goes down from the top, as in the tests' words."""

    width: float = 595
    height: float = 842
    commands: list[str] = field(default_factory=list)
    rotate: int = 0
    annotations: list[str] = field(default_factory=list)

    def text(self, x: float, y: float, text: str, size: float = 11, font: str = "F", mode: int = 0) -> Leaf:
        """Put a line of text with its base line at y; mode 3 is not drawn."""
        escaped = text.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")
        place = f"{x:.10g} {self.height - y:.10g}"
        self.commands.append(f"BT /{font} {size:g} Tf {mode} Tr 1 0 0 1 {place} Tm ({escaped}) Tj ET")
        return self

    def lines(self, x: float, y: float, texts: Sequence[str], size: float = 11, font: str = "F") -> Leaf:
        """Put lines below each other."""
        for number, text in enumerate(texts):
            self.text(x, y + number * 1.3 * size, text, size, font)
        return self

    def rule(self, x0: float, y0: float, x1: float, y1: float) -> Leaf:
        """Draw a straight line."""
        self.commands.append(f"0.5 w {x0:g} {self.height - y0:g} m {x1:g} {self.height - y1:g} l S")
        return self

    def link(self, x0: float, y0: float, x1: float, y1: float, url: str) -> Leaf:
        """Make an area a link."""
        rect = f"[{x0:g} {self.height - y1:g} {x1:g} {self.height - y0:g}]"
        action = f"<</S/URI/URI({url})>>"
        self.annotations.append(f"<</Type/Annot/Subtype/Link/Rect{rect}/Border[0 0 0]/A{action}>>")
        return self


def written(path: Path, leaves: Sequence[Leaf], *, title: str = "", outline: Sequence[tuple[str, int]] = ()) -> Path:
    """Write a PDF.

    Args:
        outline: titles with their page, from 1.
    """
    objects: dict[int, str | tuple[str, bytes]] = {}
    fonts = " ".join(f"/{key} {10 + index} 0 R" for index, key in enumerate(_FONTS))
    for index, name in enumerate(_FONTS.values()):
        objects[10 + index] = f"<</Type/Font/Subtype/Type1/BaseFont/{name}/Encoding/WinAnsiEncoding>>"
    kids = []
    for number, leaf in enumerate(leaves):
        page, content = 100 + 2 * number, 101 + 2 * number
        kids.append(f"{page} 0 R")
        annotations = f"/Annots[{' '.join(leaf.annotations)}]" if leaf.annotations else ""
        objects[page] = (
            f"<</Type/Page/Parent 2 0 R/MediaBox[0 0 {leaf.width:.10g} {leaf.height:.10g}]/Rotate {leaf.rotate}"
            f"/Resources<</Font<<{fonts}>>>>/Contents {content} 0 R{annotations}>>"
        )
        objects[content] = ("", "\n".join(leaf.commands).encode("cp1252"))
    objects[2] = f"<</Type/Pages/Count {len(kids)}/Kids[{' '.join(kids)}]>>"
    root = "<</Type/Catalog/Pages 2 0 R"
    if outline:
        root += "/Outlines 20 0 R"
        objects[20] = f"<</Type/Outlines/Count {len(outline)}/First 21 0 R/Last {20 + len(outline)} 0 R>>"
        for index, (text, page) in enumerate(outline):
            following = f"/Next {22 + index} 0 R" if index + 1 < len(outline) else ""
            objects[21 + index] = f"<</Title({text})/Parent 20 0 R/Dest[{98 + 2 * page} 0 R/Fit]{following}>>"
    objects[1] = root + ">>"
    objects[3] = f"<</Title({title})>>"
    return assembled(path, objects)


def assembled(path: Path, objects: Mapping[int, str | tuple[str, bytes]]) -> Path:
    """Write objects as a PDF: 1 is the catalog, 3 the properties; a pair is a stream."""
    out = bytearray(b"%PDF-1.7\n")
    places = {}
    for number in sorted(objects):
        places[number] = len(out)
        body = objects[number]
        if isinstance(body, str):
            out += f"{number} 0 obj\n{body}\nendobj\n".encode("latin-1")
        else:
            head, data = body
            out += f"{number} 0 obj\n<</Length {len(data)}{head}>>\nstream\n".encode()
            out += data + b"\nendstream\nendobj\n"
    start = len(out)
    most = max(objects) + 1
    out += f"xref\n0 {most}\n".encode()
    out += b"0000000000 65535 f \n"
    for number in range(1, most):
        known = number in places
        out += f"{places.get(number, 0):010} {0 if known else 65535:05} {'n' if known else 'f'} \n".encode()
    info = "/Info 3 0 R" if 3 in objects else ""
    out += f"trailer\n<</Size {most}/Root 1 0 R{info}>>\nstartxref\n{start}\n%%EOF\n".encode()
    path.write_bytes(bytes(out))
    return path


def endless_tree(path: Path) -> Path:
    """A tree of pages that is its own branch, and claims two thousand million of them."""
    kids = "<</Type/Pages/Count 2147483647/Kids[2 0 R 2 0 R]/MediaBox[0 0 10 10]>>"
    return assembled(path, {1: "<</Type/Catalog/Pages 2 0 R>>", 2: kids})


def deep_nesting(path: Path, depth: int = 200_000) -> Path:
    """Arrays in arrays, where a page's size should be."""
    return assembled(
        path,
        {
            1: "<</Type/Catalog/Pages 2 0 R>>",
            2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
            4: f"<</Type/Page/Parent 2 0 R/MediaBox{'[' * depth}{']' * depth}>>",
        },
    )


def forms_in_themselves(path: Path) -> Path:
    """A drawing that draws itself, twice."""
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Resources<</XObject<</X 5 0 R>>>>/Contents 6 0 R>>"
    form = "/Type/XObject/Subtype/Form/BBox[0 0 100 100]/Resources<</XObject<</X 5 0 R>>>>"
    return assembled(
        path,
        {
            1: "<</Type/Catalog/Pages 2 0 R>>",
            2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
            4: page,
            5: (form, b"/X Do /X Do"),
            6: ("", b"/X Do"),
        },
    )


def inflating(path: Path, megabytes: int = 700) -> Path:
    """A page whose content is a thousand times as large as its file."""
    compressor = zlib.compressobj(9)
    block = b"0 0 m 1 1 l S\n" * 75_000
    data = b"".join(compressor.compress(block) for _ in range(megabytes)) + compressor.flush()
    return assembled(
        path,
        {
            1: "<</Type/Catalog/Pages 2 0 R>>",
            2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
            4: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 100 100]/Contents 5 0 R>>",
            5: ("/Filter/FlateDecode", data),
        },
    )


def acting(path: Path) -> Path:
    """A page with all that acts: scripts, programs to start, a film, actions that happen by themselves."""
    script = "<</S/JavaScript/JS(app.alert\\(1\\))>>"
    start = "<</S/Launch/F(/bin/sh)>>"
    link = "<</Type/Annot/Subtype/Link/Rect[0 0 50 50]/Border[0 0 0]"
    web = f"{link}/A<</S/URI/URI(http://a.b/)/Next {script}>>>>"
    return assembled(
        path,
        {
            1: f"<</Type/Catalog/Pages 2 0 R/OpenAction {script}/AA<</WC {script}>>"
            f"/Names<</JavaScript<</Names[(a){script}]>>>>/AcroForm<</Fields[8 0 R]/XFA(<xdp/>)>>>>",
            2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
            4: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 5 0 R/Resources<</Font<</F 6 0 R>>>>"
            f"/AA<</O {start}>>/Annots[{link}/A {start}>> {web} 7 0 R 8 0 R]>>",
            5: ("", b"BT /F 12 Tf 20 100 Td (The text stays) Tj ET"),
            6: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            7: "<</Type/Annot/Subtype/RichMedia/Rect[0 0 9 9]/RichMediaContent<</Assets<<>>>>>>",
            8: f"<</Type/Annot/Subtype/Widget/FT/Tx/T(name)/V(Ada)/Rect[10 10 90 30]/DA(/Helv 9 Tf)/A {script}>>",
        },
    )


def laughing(path: Path) -> Path:
    """XMP whose entities are a thousand million laughs, and one that is a file of the machine."""
    entities = '<!ENTITY a "ha"><!ENTITY f SYSTEM "file:///etc/passwd">'
    for name, before in zip("bcdefghij", "abcdefghi", strict=True):
        entities += f'<!ENTITY {name} "{f"&{before};" * 10}">'
    packet = (
        f'<?xml version="1.0"?><!DOCTYPE x [{entities}]><x:xmpmeta xmlns:x="adobe:ns:meta/">'
        '<rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about="" '
        'xmlns:pdf="http://ns.adobe.com/pdf/1.3/"><pdf:Producer>&j;</pdf:Producer><pdf:Keywords>&f;</pdf:Keywords>'
        "</rdf:Description></rdf:RDF></x:xmpmeta>"
    )
    return assembled(
        path,
        {
            1: "<</Type/Catalog/Pages 2 0 R/Metadata 7 0 R>>",
            2: "<</Type/Pages/Count 1/Kids[4 0 R]>>",
            4: "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 5 0 R/Resources<</Font<</F 6 0 R>>>>>>",
            5: ("", b"BT /F 12 Tf 20 100 Td (No joke) Tj ET"),
            6: "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
            7: ("/Type/Metadata/Subtype/XML", packet.encode()),
        },
    )
