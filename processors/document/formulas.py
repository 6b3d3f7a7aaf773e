"""Formulas as one line of text, from the two ways in which documents hold them: Office Math (OMML) and MathML.

The line is as Unicode Technical Note 28 writes formulas ("nearly plain text"): a fraction is (a+b)/c, what is raised
x^2, what is lowered x_i, a root √(x), a sum ∑_(i=1)^n. Brackets stand where what they hold is more than one sign or
number: nothing is computed with it, it is read, searched and asked about.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element

_INVISIBLE = dict.fromkeys(map(ord, "\u2061\u2062\u2063\u2064\u200b"))  # "apply", "times", "comma", "plus"
DEEPEST = 60  #: what is deeper in a formula is cut
_CUT = "…"


def is_formula(element: Element) -> bool:
    """Whether a formula begins here, of either kind."""
    return _name(element) in ("oMath", "math")


def linear(element: Element, depth: int = 0) -> str:
    """A formula, or a part of one, as text.

    Args:
        element: of OMML or MathML, whatever its tags have before their name.
    """
    if depth > DEEPEST:
        return _CUT
    name, parts = _name(element), [child for child in element if isinstance(child.tag, str)]
    made = [linear(child, depth + 1) for child in parts]
    by_name = {_name(child): text for child, text in zip(parts, made, strict=True)}
    match name:
        # --- signs
        case "t" | "mi" | "mn" | "mo" | "mtext" | "ms":
            return _sign(element)
        case "mspace":
            return " "
        # --- OMML: parts have names
        case "f":
            return _fraction(by_name.get("num", ""), by_name.get("den", ""))
        case "sSup" | "sSub" | "sSubSup":
            return _scripts(_grouped(by_name.get("e", "")), by_name.get("sub", ""), by_name.get("sup", ""))
        case "sPre":
            return _scripts("", by_name.get("sub", ""), by_name.get("sup", "")) + by_name.get("e", "")
        case "nary":
            sign = _property(element, "chr", "∫")
            return f"{_scripts(sign, by_name.get('sub', ''), by_name.get('sup', ''))} {by_name.get('e', '')}"
        case "rad":
            return _root(by_name.get("e", ""), by_name.get("deg", ""))
        case "d":
            held = "|".join(text for child, text in zip(parts, made, strict=True) if _name(child) == "e")
            return f"{_property(element, 'begChr', '(')}{held}{_property(element, 'endChr', ')')}"
        case "limLow" | "limUpp":
            sign = "_" if name == "limLow" else "^"
            return f"{by_name.get('e', '')}{sign}{_grouped(by_name.get('lim', ''))} "
        case "func":
            return f"{by_name.get('fName', '').strip()} {by_name.get('e', '')}"
        case "m" if any(_name(child) == "mr" for child in parts):
            return _matrix([[linear(cell, depth + 2) for cell in row] for row in parts if _name(row) == "mr"])
        case "eqArr":
            return "; ".join(filter(None, made))
        # --- MathML: parts have places
        case "mfrac" if len(made) == 2:
            return _fraction(*made)
        case "msup" | "mover" if len(made) == 2:
            return _scripts(_grouped(made[0]), "", made[1])
        case "msub" | "munder" if len(made) == 2:
            return _scripts(_grouped(made[0]), made[1], "") + (" " if name == "munder" else "")
        case "msubsup" | "munderover" if len(made) == 3:
            return _scripts(_grouped(made[0]), made[1], made[2]) + (" " if name == "munderover" else "")
        case "msqrt":
            return _root("".join(made), "")
        case "mroot" if len(made) == 2:
            return _root(made[0], made[1])
        case "mfenced":
            separators = element.get("separators", ",").strip() or ""
            return f"{element.get('open', '(')}{separators[:1].join(made)}{element.get('close', ')')}"
        case "mtable":
            return _matrix([[linear(cell, depth + 2) for cell in row] for row in parts])
        case "semantics":
            return made[0] if made else ""
        case _ if name.endswith("Pr") or name in ("annotation", "annotation-xml", "mphantom"):
            return ""
        case "math" | "oMath":
            return " ".join("".join(made).split())
        case _:
            return "".join(made)


def _name(element: Element) -> str:
    """Without its namespace, whichever way that is written: {uri}f, m:f, m-f."""
    tag = element.tag if isinstance(element.tag, str) else ""
    for sign in "}:-":
        before, found, after = tag.rpartition(sign)
        if found and (sign != "-" or before in ("m", "w")):
            return after
    return tag


def _sign(element: Element) -> str:
    return "".join(element.itertext()).translate(_INVISIBLE)


def _property(element: Element, name: str, otherwise: str) -> str:
    """A sign that an OMML element has as a property; one that is there and empty is no sign."""
    for child in element:
        if _name(child).endswith("Pr"):
            for each in child:
                if _name(each) == name:
                    return next((value for key, value in each.attrib.items() if key.endswith("val")), "")
    return otherwise


def _grouped(text: str) -> str:
    """In brackets, where it would not be read as one."""
    text = text.strip()
    is_one = len(text) <= 1 or text.replace(".", "").isdigit() or text.isalpha() or _is_bracketed(text)
    return text if is_one else f"({text})"


def _is_bracketed(text: str) -> bool:
    """Whether the first bracket is closed by the last."""
    if not (text.startswith("(") and text.endswith(")")):
        return False
    depth = 0
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0:
            return place == len(text) - 1
    return False


def _fraction(above: str, below: str) -> str:
    return f"{_grouped(above)}/{_grouped(below)}"


def _scripts(base: str, lowered: str, raised: str) -> str:
    below = f"_{_grouped(lowered)}" if lowered.strip() else ""
    above = f"^{_grouped(raised)}" if raised.strip() else ""
    return f"{base}{below}{above}"


def _root(held: str, degree: str) -> str:
    mark = {"": "√", "2": "√", "3": "∛", "4": "∜"}.get(degree.strip(), f"^{_grouped(degree)}√")
    return f"{mark}{held.strip() if _is_bracketed(held.strip()) else f'({held.strip()})'}"


def _matrix(rows: Sequence[Iterable[str]]) -> str:
    return "[" + "; ".join(", ".join(cell.strip() for cell in row) for row in rows) + "]"
