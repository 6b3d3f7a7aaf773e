"""Formulas of Office Math and MathML as one line of text."""

from __future__ import annotations

from xml.etree.ElementTree import fromstring

import pytest

from processors.document.formulas import linear
from processors.document.text.html import page_of

OFFICE = "xmlns:m='http://schemas.openxmlformats.org/officeDocument/2006/math'"


@pytest.mark.parametrize(
    ("held", "line"),
    [
        ("<msup><mi>x</mi><mn>2</mn></msup>", "x^2"),
        ("<msup><mrow><mo>(</mo><mi>a</mi><mo>+</mo><mi>b</mi><mo>)</mo></mrow><mn>2</mn></msup>", "(a+b)^2"),
        ("<mfrac><mrow><mi>a</mi><mo>+</mo><mi>b</mi></mrow><mi>c</mi></mfrac>", "(a+b)/c"),
        ("<msqrt><mn>2</mn></msqrt><mroot><mi>x</mi><mn>3</mn></mroot>", "√(2)∛(x)"),
        ("<msubsup><mi>x</mi><mi>i</mi><mrow><mi>n</mi><mo>-</mo><mn>1</mn></mrow></msubsup>", "x_i^(n-1)"),
        ("<mtable><mtr><mtd><mn>1</mn></mtd><mtd><mn>0</mn></mtd></mtr><mtr><mtd/><mtd><mn>1</mn></mtd></mtr></mtable>",
         "[1, 0; , 1]"),
        ("<semantics><mi>y</mi><annotation>\\ypsilon</annotation></semantics>", "y"),
        ("<mfrac><mi>a</mi></mfrac>", "a"),  # it lacks a part
        ("<mi>sin</mi><mo>\u2061</mo><mi>x</mi>", "sinx"),
    ],
)  # fmt: skip
def test_mathml(held: str, line: str) -> None:
    assert linear(fromstring(f"<math xmlns='http://www.w3.org/1998/Math/MathML'>{held}</math>")) == line


@pytest.mark.parametrize(
    ("held", "line"),
    [
        ("<m:f><m:num><m:r><m:t>1</m:t></m:r></m:num><m:den><m:r><m:t>2n</m:t></m:r></m:den></m:f>", "1/(2n)"),
        ("<m:nary><m:naryPr><m:chr m:val='∑'/></m:naryPr><m:sub><m:r><m:t>i=1</m:t></m:r></m:sub>"
         "<m:sup><m:r><m:t>n</m:t></m:r></m:sup><m:e><m:r><m:t>i</m:t></m:r></m:e></m:nary>", "∑_(i=1)^n i"),
        ("<m:nary><m:sub/><m:sup/><m:e><m:r><m:t>f</m:t></m:r></m:e></m:nary>", "∫ f"),
        ("<m:rad><m:deg/><m:e><m:r><m:t>x+y</m:t></m:r></m:e></m:rad>", "√(x+y)"),
        ("<m:d><m:dPr><m:begChr m:val='['/><m:endChr m:val=''/></m:dPr><m:e><m:r><m:t>a</m:t></m:r></m:e></m:d>", "[a"),
    ],
)  # fmt: skip
def test_office_math(held: str, line: str) -> None:
    assert linear(fromstring(f"<m:oMath {OFFICE}>{held}</m:oMath>")) == line


def test_a_formula_that_is_too_deep_is_cut() -> None:
    assert linear(fromstring(f"<math>{'<mrow>' * 500}x{'</mrow>' * 500}</math>")) == "…"


def test_a_page_keeps_its_formulas() -> None:
    math = "<math><mi>E</mi><mo>=</mo><mi>m</mi><msup><mi>c</mi><mn>2</mn></msup></math>"
    page, _, _ = page_of(f"<p>The famous {math} holds.</p>{'<math><mrow>' * 3000}")
    assert any("The famous E=mc^2 holds." in "".join(span.text for span in block.spans) for block in page.blocks)
