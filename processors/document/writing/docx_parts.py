"""The parts of a DOCX that say little: styles, lists, relations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from xml.sax.saxutils import quoteattr

_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
_R = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_A = "http://schemas.openxmlformats.org/drawingml/2006/main"
_PICTURE = "http://schemas.openxmlformats.org/drawingml/2006/picture"
_DRAWING = "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing"
_LEVELS = 9
_HEADING_POINTS = (20, 16, 14, 12, 11, 11)

BULLETS: Final = 1  #: the list of bullets; numbered ones follow it

CONTENT_TYPES: Final = (
    f'{_HEAD}<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="png" ContentType="image/png"/><Default Extension="jpg" ContentType="image/jpeg"/>'
    + "".join(
        f'<Override PartName="/{part}" ContentType="application/vnd.openxmlformats-{kind}+xml"/>'
        for part, kind in (
            ("word/document.xml", "officedocument.wordprocessingml.document.main"),
            ("word/styles.xml", "officedocument.wordprocessingml.styles"),
            ("word/numbering.xml", "officedocument.wordprocessingml.numbering"),
            ("docProps/core.xml", "package.core-properties"),
        )
    )
    + "</Types>"
)

PACKAGE: Final = (
    f'{_HEAD}<Relationships xmlns="{_RELATIONS}">'
    f'<Relationship Id="rId1" Type="{_R}/officeDocument" Target="word/document.xml"/>'
    f'<Relationship Id="rId2" Type="{_RELATIONS}/metadata/core-properties" '
    'Target="docProps/core.xml"/></Relationships>'
)

# The paper is A4.
DOCUMENT_BEGIN: Final = (
    f'{_HEAD}<w:document {_W} xmlns:r="{_R}" xmlns:wp="{_DRAWING}" xmlns:a="{_A}" xmlns:pic="{_PICTURE}"><w:body>'
).encode()
DOCUMENT_END: Final = (
    b'<w:sectPr><w:pgSz w:w="11906" w:h="16838"/><w:pgMar w:top="1417" w:right="1417" w:bottom="1417" w:left="1417" '
    b'w:header="708" w:footer="708" w:gutter="0"/></w:sectPr></w:body></w:document>'
)

_TABLE = (
    '<w:tblPr><w:tblStyle w:val="TableGrid"/><w:tblW w:w="5000" w:type="pct"/>{}<w:tblLook w:val="04A0"/></w:tblPr>'
)
_NARROW = '<w:tblCellMar><w:left w:w="20" w:type="dxa"/><w:right w:w="20" w:type="dxa"/></w:tblCellMar>'
_USUAL_COLUMNS = 12  # with more, the usual margins of cells leave no room for what is in them


def table(columns: int) -> str:
    """What a table says of itself."""
    return _TABLE.format(_NARROW if columns > _USUAL_COLUMNS else "")


def core(title: str, author: str) -> str:
    """The properties; title and author are escaped."""
    creator = f"<dc:creator>{author}</dc:creator>" if author else ""
    return (
        f'{_HEAD}<cp:coreProperties xmlns:dc="http://purl.org/dc/elements/1.1/" '
        'xmlns:cp="http://schemas.openxmlformats.org/package/2006/metadata/core-properties">'
        f"<dc:title>{title}</dc:title>{creator}</cp:coreProperties>"
    )


def relations(links: Mapping[str, str], media: Mapping[str, str]) -> str:
    """Where the document leads to: links by address, pictures by name, each with its identifier."""
    fixed = "".join(
        f'<Relationship Id="r{kind}" Type="{_R}/{kind}" Target="{kind}.xml"/>' for kind in ("styles", "numbering")
    )
    made = [
        f'<Relationship Id="{identifier}" Type="{_R}/hyperlink" Target={quoteattr(link)} TargetMode="External"/>'
        for link, identifier in links.items()
    ] + [
        f'<Relationship Id="{identifier}" Type="{_R}/image" Target="media/{name}"/>'
        for name, identifier in media.items()
    ]
    return f'{_HEAD}<Relationships xmlns="{_RELATIONS}">{fixed}{"".join(made)}</Relationships>'


def numbering(lists: Sequence[tuple[str, int, int]]) -> str:
    """The lists: bullets, and after them each numbered one by its form (as `decimal.`), depth and start."""
    forms = list(dict.fromkeys(form for form, _, _ in lists))
    abstract = [_abstract(0, "bullet", "•")]
    abstract += [_abstract(index, form[:-1], form[-1]) for index, form in enumerate(forms, start=1)]
    numbers = [f'<w:num w:numId="{BULLETS}"><w:abstractNumId w:val="0"/></w:num>']
    for index, (form, depth, start) in enumerate(lists, start=BULLETS + 1):
        override = f'<w:lvlOverride w:ilvl="{depth}"><w:startOverride w:val="{start}"/></w:lvlOverride>'
        of = forms.index(form) + 1
        numbers.append(f'<w:num w:numId="{index}"><w:abstractNumId w:val="{of}"/>{override}</w:num>')
    return f"{_HEAD}<w:numbering {_W}>{''.join(abstract)}{''.join(numbers)}</w:numbering>"


def _abstract(identifier: int, form: str, sign: str) -> str:
    levels = "".join(
        f'<w:lvl w:ilvl="{depth}"><w:start w:val="1"/><w:numFmt w:val="{form}"/>'
        f'<w:lvlText w:val="{sign if form == "bullet" else f"%{depth + 1}{sign}"}"/><w:lvlJc w:val="left"/>'
        f'<w:pPr><w:ind w:left="{720 * (depth + 1)}" w:hanging="360"/></w:pPr></w:lvl>'
        for depth in range(_LEVELS)
    )
    return (
        f'<w:abstractNum w:abstractNumId="{identifier}"><w:multiLevelType w:val="multilevel"/>{levels}</w:abstractNum>'
    )


def picture(identifier: str, number: int, size: tuple[int, int], alternative: str) -> str:
    """A picture in the line; its size is in EMU, and what it shows is quoted."""
    extent = f'cx="{size[0]}" cy="{size[1]}"'
    return (
        f'<w:drawing><wp:inline distT="0" distB="0" distL="0" distR="0"><wp:extent {extent}/>'
        f'<wp:docPr id="{number}" name="Picture {number}" descr={alternative}/>'
        f'<a:graphic><a:graphicData uri="{_PICTURE}"><pic:pic>'
        f'<pic:nvPicPr><pic:cNvPr id="{number}" name="Picture {number}"/><pic:cNvPicPr/></pic:nvPicPr>'
        f'<pic:blipFill><a:blip r:embed="{identifier}"/><a:stretch><a:fillRect/></a:stretch></pic:blipFill>'
        f'<pic:spPr><a:xfrm><a:off x="0" y="0"/><a:ext {extent}/></a:xfrm>'
        '<a:prstGeom prst="rect"><a:avLst/></a:prstGeom></pic:spPr>'
        "</pic:pic></a:graphicData></a:graphic></wp:inline></w:drawing>"
    )


def _style(identifier: str, name: str, paragraph: str = "", run: str = "", *, kind: str = "paragraph") -> str:
    based = '<w:basedOn w:val="Normal"/>' if kind == "paragraph" else ""
    inner = f"<w:pPr>{paragraph}</w:pPr>" if paragraph else ""
    inner += f"<w:rPr>{run}</w:rPr>" if run else ""
    named = f'<w:name w:val="{name}"/>{based}<w:qFormat/>'
    return f'<w:style w:type="{kind}" w:styleId="{identifier}">{named}{inner}</w:style>'


_MONO = '<w:rFonts w:ascii="Courier New" w:hAnsi="Courier New" w:cs="Courier New"/><w:sz w:val="19"/>'
_BORDERS = "".join(
    f'<w:{side} w:val="single" w:sz="4" w:space="0" w:color="A0A0A0"/>'
    for side in ("top", "left", "bottom", "right", "insideH", "insideV")
)

STYLES: Final = (
    f"{_HEAD}<w:styles {_W}><w:docDefaults><w:rPrDefault><w:rPr>"
    '<w:rFonts w:ascii="Arial" w:hAnsi="Arial" w:cs="Arial"/><w:sz w:val="21"/><w:szCs w:val="21"/>'
    '</w:rPr></w:rPrDefault><w:pPrDefault><w:pPr><w:spacing w:after="120" w:line="264" w:lineRule="auto"/></w:pPr>'
    "</w:pPrDefault></w:docDefaults>"
    '<w:style w:type="paragraph" w:default="1" w:styleId="Normal"><w:name w:val="Normal"/></w:style>'
    + "".join(
        _style(
            f"Heading{level}",
            f"heading {level}",
            f'<w:keepNext/><w:spacing w:before="240" w:after="80"/><w:outlineLvl w:val="{level - 1}"/>',
            f'<w:b/><w:sz w:val="{2 * points}"/><w:szCs w:val="{2 * points}"/>',
        )
        for level, points in enumerate(_HEADING_POINTS, start=1)
    )
    + _style("ListParagraph", "List Paragraph", '<w:spacing w:after="60"/>')
    + _style("Code", "HTML Preformatted", '<w:spacing w:after="120" w:line="240" w:lineRule="auto"/>', _MONO)
    + _style("CodeText", "HTML Code", run=_MONO, kind="character")
    + _style("Caption", "caption", run='<w:i/><w:sz w:val="18"/>')
    + _style("FootnoteText", "footnote text", run='<w:sz w:val="17"/>')
    + '<w:style w:type="table" w:styleId="TableGrid"><w:name w:val="Table Grid"/>'
    f"<w:tblPr><w:tblBorders>{_BORDERS}</w:tblBorders><w:tblCellMar>"
    '<w:left w:w="80" w:type="dxa"/><w:right w:w="80" w:type="dxa"/></w:tblCellMar></w:tblPr></w:style></w:styles>'
)
