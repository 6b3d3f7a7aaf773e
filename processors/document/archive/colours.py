"""Colours of ink as colours of light: an archive says what its colours are, and has room for one kind alone."""

from __future__ import annotations

import io
import re
from decimal import Decimal
from typing import Any

import pikepdf
from pikepdf import Array, Dictionary, Name, Operator, Stream

from processors.document.paper.pictures import image, packed

_MOST_PIXELS = 50_000_000  # of a picture
_FEW_COLOURS = 256  # with so many a picture is smaller without loss
_QUALITY = 92
_IN_INK = re.compile(rb"[\d.]\s+[kK]\s|DeviceCMYK")
_INKS = {"k": Operator("rg"), "K": Operator("RG")}
_SPACES = {"cs": Operator("rg"), "CS": Operator("RG")}
_SET = {"sc": "cs", "scn": "cs", "SC": "CS", "SCN": "CS"}


def lighten(pdf: pikepdf.Pdf) -> int:
    """Rewrite what pages and forms set in ink; say how many of them.

    Pictures, shades and spot colours are left as they are.
    """
    count = 0
    for page in pdf.pages:
        page.contents_coalesce()
        content = page.obj.get("/Contents")
        if isinstance(content, Stream):
            count += _rewrite(content)
        _regroup(page.obj)
    for each in pdf.objects:
        if isinstance(each, Stream) and each.get("/Subtype") == Name.Form:
            count += _rewrite(each)
            _regroup(each)
    return count


def light_of(inks: tuple[float, float, float, float]) -> tuple[float, float, float]:
    """The light that inks leave, as ISO 32000-1, 10.3.5 says; all from 0 to 1.

    >>> light_of((0, 1, 1, 0))
    (1, 0, 0)
    """
    cyan, magenta, yellow, black = inks
    return 1 - min(1, cyan + black), 1 - min(1, magenta + black), 1 - min(1, yellow + black)


def _rewrite(stream: Stream) -> bool:
    try:
        data = stream.read_bytes()
        if not _IN_INK.search(data):
            return False
        instructions = pikepdf.parse_content_stream(stream)
    except pikepdf.PdfError:
        return False
    made: list[Any] = []
    changed = False
    is_ink = {"cs": False, "CS": False}
    saved: list[dict[str, bool]] = []
    for instruction in instructions:
        name = str(instruction.operator)
        operands: Any = instruction.operands
        if name == "q":
            saved.append(dict(is_ink))
        elif name == "Q" and saved:
            is_ink = saved.pop()
        if name in _SPACES:
            is_ink[name] = len(operands) == 1 and operands[0] == Name.DeviceCMYK
            if is_ink[name]:
                made.append(([0, 0, 0], _SPACES[name]))
                changed = True
                continue
        elif name in ("g", "rg", "k", "G", "RG", "K"):
            is_ink["cs" if name.islower() else "CS"] = False
        space = _SET.get(name, "")
        if (name in _INKS or (space and is_ink[space])) and len(operands) == 4:
            light = light_of(tuple(float(each) for each in operands))  # type: ignore[arg-type]
            numbers = [Decimal(f"{each:.4f}") for each in light]
            made.append((numbers, _INKS[name] if name in _INKS else _SPACES[space]))
            changed = True
            continue
        made.append(instruction)
    if changed:
        stream.write(pikepdf.unparse_content_stream(made))
    return changed


def _regroup(holder: Any) -> None:
    """What is blended in ink is blended in light, and light is not printed over."""
    resources = holder.get("/Resources")
    states = resources.get("/ExtGState") if isinstance(resources, Dictionary) else None
    for _, state in states.items() if isinstance(states, Dictionary) else ():
        if isinstance(state, Dictionary) and "/OPM" in state:
            del state["/OPM"]
    group = holder.get("/Group")
    if isinstance(group, Dictionary) and group.get("/CS") == Name.DeviceCMYK:
        group["/CS"] = Name.DeviceRGB


def lighten_pictures(pdf: pikepdf.Pdf) -> int:
    """Write pictures in ink, and JPEG 2000, as pictures in light; say how many. What cannot be read stays."""
    count = 0
    for each in pdf.objects:
        if isinstance(each, Stream) and each.get("/Subtype") == Name.Image and _is_strange(each):
            count += _redone(pdf, each)
    return count


def _is_strange(stream: Stream) -> bool:
    space = stream.get("/ColorSpace")
    filters: Any = stream.get("/Filter")
    last = filters[-1] if isinstance(filters, Array) and len(filters) else filters
    return last == Name.JPXDecode or space == Name.DeviceCMYK


def _redone(pdf: pikepdf.Pdf, stream: Stream) -> bool:
    if "/Mask" in stream or "/SMaskInData" in stream or "/Decode" in stream:
        return False
    try:
        picture = pikepdf.PdfImage(stream).as_pil_image()
        if picture.width * picture.height > _MOST_PIXELS:
            return False
        picture = picture.convert("L" if picture.mode in ("1", "L", "LA") else "RGB")
        if picture.getcolors(_FEW_COLOURS) is not None:
            made = packed(pdf, picture)
        else:
            with io.BytesIO() as file:
                picture.save(file, "JPEG", quality=_QUALITY, subsampling=0)
                colours = Name.DeviceGray if picture.mode == "L" else Name.DeviceRGB
                made = image(pdf, file.getvalue(), picture.size, colours, Filter=Name.DCTDecode)
    except Exception:  # Pillow and pikepdf raise whatever a strange picture makes them
        return False
    keep = {key: stream[key] for key in ("/SMask", "/Intent", "/StructParent") if key in stream}
    filters: Any = made.get("/Filter")
    parameters: Any = made.get("/DecodeParms")
    stream.write(made.read_raw_bytes(), filter=filters, decode_parms=parameters)
    for key in ("/ColorSpace", "/BitsPerComponent", "/Width", "/Height"):
        stream[key] = made[key]
    for key, value in keep.items():
        stream[key] = value
    return True
