"""Office files that mean harm: each gets the right text or one clear error, and the instance goes on as before."""

from __future__ import annotations

import http.server
import re
import threading
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pypdfium2
import pytest

from tests.integration.test_documents import DOCUMENTS, Office
from tests.resources.offices import changed, crowded, docx, inflating, nested, paragraph
from tests.resources.workers import Worker

FORMATTING = DOCUMENTS / "formatting.docx"
OPEN_TEXT = DOCUMENTS / "formatting.odt"
MOST_SECONDS = 60.0
RELATION = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
SECRET = "what is in another file"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("hostile"), service="document") as worker:
        yield Office(worker)


@pytest.fixture(autouse=True)
def healthy(office: Office) -> Iterator[None]:
    """After each of them the worker serves, and LibreOffice converts."""
    yield
    out, _ = office.make(FORMATTING, "text", "pdf")
    assert "Bold bullet 2" in (out / "document.txt").read_text()
    assert "Bold bullet 2" in words_of(out / "document.pdf")
    assert office.worker.health()["attempts"] == []


def words_of(pdf: Path) -> str:
    document = pypdfium2.PdfDocument(pdf)
    try:
        return " ".join(" ".join(page.get_textpage().get_text_range() for page in document).split())
    finally:
        document.close()


@pytest.mark.parametrize("make", [inflating, nested, crowded])
@pytest.mark.parametrize("wanted", ["text", "pdf"])
def test_what_unpacks_to_too_much_is_not_unpacked(
    office: Office, tmp_path: Path, make: Callable[[Path], Path], wanted: str
) -> None:
    path = make(tmp_path / "bomb.docx")
    started = time.monotonic()
    token = office.begin(path, outputFormats=[wanted])
    last = office.worker.ending(token)
    assert last["error"]["code"] == "document_too_large"
    said = last["error"]["message"]
    assert said.startswith("bomb.docx is not read: ")
    assert re.search(r"\d.*; at most \d+", said)
    assert time.monotonic() - started < MOST_SECONDS
    assert last["metrics"]["peakRssBytes"] < 300 * 1024 * 1024


@pytest.mark.parametrize("wanted", ["text", "pdf"])
@pytest.mark.parametrize(
    "declaration",
    [
        '<!DOCTYPE w [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;">]>',
        '<!DOCTYPE w [<!ENTITY b SYSTEM "file:///etc/passwd">]>',
    ],
)
def test_entities_are_refused(office: Office, tmp_path: Path, declaration: str, wanted: str) -> None:
    path = docx(tmp_path / "laughs.docx", paragraph("&b;"))
    path = changed(
        path,
        tmp_path / "entities.docx",
        lambda name, data: declaration.encode() + data if name == "word/document.xml" else data,
    )
    error = office.failure(path, wanted)
    assert (error["code"], error["reason"]) == ("unsafe_document", "rejected")


def test_nothing_is_fetched_and_no_other_file_is_read(office: Office, tmp_path: Path) -> None:
    asked: list[str] = []

    class Listening(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_error(404)

        do_HEAD = do_OPTIONS = do_PROPFIND = do_GET  # noqa: N815

        def log_message(self, *_: object) -> None:
            pass

    secret = tmp_path / "secret.txt"
    secret.write_text(SECRET)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Listening) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{server.server_port}"
        for path in (
            _linking_docx(tmp_path, url),
            _linking_odt(tmp_path, url, secret),
            _linking_rtf(tmp_path, url, secret),
        ):
            out, _ = office.make(path, "text", "pdf")
            assert SECRET not in (out / "document.txt").read_text()
            assert SECRET not in words_of(out / "document.pdf")
        page = tmp_path / "page.html"
        page.write_text(f"<h1>Page</h1><img src='{url}/a.png'><link rel=stylesheet href='{url}/b.css'>")
        out, _ = office.make(page, "pdf", "docx")
        assert "Page" in words_of(out / "document.pdf")
        server.shutdown()
    assert asked == []


def _linking_docx(folder: Path, url: str) -> Path:
    picture = (
        '<w:p><w:r><w:pict><v:shape xmlns:v="urn:schemas-microsoft-com:vml" style="width:50pt;height:50pt">'
        f'<v:imagedata xmlns:r="{RELATION}" r:href="linked" r:id="linked"/></v:shape></w:pict></w:r></w:p>'
    )
    links = "".join(
        f'<Relationship Id="{name}" Type="{RELATION}/{kind}" Target="{url}/{kind}" TargetMode="External"/>'
        for name, kind in (("linked", "image"), ("template", "attachedTemplate"))
    )

    def change(name: str, data: bytes) -> bytes:
        if name == "word/document.xml":
            return data.replace(b"<w:body>", b"<w:body>" + picture.encode())
        return (
            data.replace(b"</Relationships>", links.encode() + b"</Relationships>")
            if name == "word/_rels/document.xml.rels"
            else data
        )

    return changed(FORMATTING, folder / "linking.docx", change)


def _linking_odt(folder: Path, url: str, secret: Path) -> Path:
    inner = (
        '<text:p><draw:frame svg:width="3cm" svg:height="3cm" text:anchor-type="paragraph">'
        f'<draw:image xlink:href="{url}/picture" xlink:type="simple" xlink:show="embed" xlink:actuate="onLoad"/>'
        f'</draw:frame></text:p><text:section text:name="S"><text:section-source xlink:href="{secret.as_uri()}" '
        'text:filter-name="Text"/><text:p>kept</text:p></text:section></office:text>'
    )
    return changed(
        OPEN_TEXT,
        folder / "linking.odt",
        lambda name, data: data.replace(b"</office:text>", inner.encode()) if name == "content.xml" else data,
    )


def _linking_rtf(folder: Path, url: str, secret: Path) -> Path:
    path = folder / "linking.rtf"
    path.write_text(
        rf'{{\rtf1 Words {{\field{{\*\fldinst INCLUDEPICTURE "{url}/p.png" \\d}}{{\fldrslt picture}}}} '
        rf'{{\field{{\*\fldinst INCLUDETEXT "{secret}"}}{{\fldrslt kept}}}}}}'
    )
    return path


def test_macros_do_not_run(office: Office, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    module = (
        '<?xml version="1.0"?><script:module xmlns:script="http://openoffice.org/2000/script" script:name="M" '
        f'script:language="StarBasic">Sub Main\nOpen "{ran}" For Output As #1\nClose #1\nEnd Sub</script:module>'
    )
    library = (
        '<?xml version="1.0"?><library:{} xmlns:library="http://openoffice.org/2000/library" '
        'xmlns:xlink="http://www.w3.org/1999/xlink"{}>{}</library:{}>'
    )
    own = 'library:name="Standard" library:readonly="false" library:passwordprotected="false"'
    script = "vnd.sun.star.script:Standard.M.Main?language=Basic&amp;location=document"
    event = (
        '<office:scripts><office:event-listeners><script:event-listener script:language="ooo:script" '
        f'script:event-name="dom:load" xlink:href="{script}" xlink:type="simple"/>'
        "</office:event-listeners></office:scripts>"
    )

    def change(name: str, data: bytes) -> bytes:
        if name == "content.xml":
            return data.replace(b"<office:scripts/>", event.encode())
        if name == "META-INF/manifest.xml":
            entries = "".join(
                f'<manifest:file-entry manifest:full-path="Basic/{part}" manifest:media-type="text/xml"/>'
                for part in ("script-lc.xml", "Standard/script-lb.xml", "Standard/M.xml")
            )
            return data.replace(b"</manifest:manifest>", entries.encode() + b"</manifest:manifest>")
        return data

    path = changed(OPEN_TEXT, tmp_path / "macro.odt", change)
    with zipfile.ZipFile(path, "a") as archive:
        libraries = '<library:library library:name="Standard" library:link="false"/>'
        archive.writestr("Basic/script-lc.xml", library.format("libraries", "", libraries, "libraries"))
        element = '<library:element library:name="M"/>'
        archive.writestr("Basic/Standard/script-lb.xml", library.format("library", f" {own}", element, "library"))
        archive.writestr("Basic/Standard/M.xml", module)
    assert event.encode() in zipfile.ZipFile(path).read("content.xml")
    out, _ = office.make(path, "text", "pdf")
    assert "Bold bullet 2" in (out / "document.txt").read_text()
    assert not ran.exists()


@pytest.mark.parametrize("wanted", ["text", "pdf"])
def test_what_is_cut_off_or_is_something_else(office: Office, tmp_path: Path, wanted: str) -> None:
    cut = tmp_path / "cut.docx"
    cut.write_bytes(FORMATTING.read_bytes()[:20_000])
    error = office.failure(cut, wanted)
    assert error["code"] == "damaged_document"
    assert error["message"] == "cut.docx is cut off or damaged: it cannot be unpacked."
    other = tmp_path / "other.docx"
    with zipfile.ZipFile(other, "w") as archive:
        archive.writestr("a.txt", "a")
    assert office.failure(other, wanted)["message"] == "other.docx is a ZIP file, but not a document."
    old = tmp_path / "old.doc"
    old.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(5000))
    assert office.failure(old, wanted)["code"] == "damaged_document"
    half = tmp_path / "half.doc"
    half.write_bytes((DOCUMENTS / "formatting.doc").read_bytes()[:9000] + "WordDocument\0".encode("utf-16-le"))
    assert office.failure(half, wanted)["code"] == "damaged_document"


def test_tables_in_tables_without_end(office: Office, tmp_path: Path) -> None:
    deep = "<w:tbl><w:tr><w:tc>" * 2000 + paragraph("deep") + "</w:tc></w:tr></w:tbl>" * 2000
    for wanted in ("text", "pdf"):
        assert office.failure(docx(tmp_path / "deep.docx", deep), wanted)["code"] == "nested_too_deep"
    # The part that LibreOffice reads is the one that the package names, whatever else is in it.
    w = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
    main = f"<w:document {w}><w:body>{deep}</w:body></w:document>"
    path = docx(tmp_path / "named.docx", paragraph("a decoy"), {"word/main.xml": main})
    named = changed(
        path,
        tmp_path / "other.docx",
        lambda name, data: data.replace(b"word/document.xml", b"word/main.xml") if name == "_rels/.rels" else data,
    )
    assert office.failure(named, "pdf")["code"] == "nested_too_deep"


def test_braces_in_braces_without_end(office: Office, tmp_path: Path) -> None:
    path = tmp_path / "deep.rtf"
    path.write_text(r"{\rtf1 " + "{" * 200_000 + "deep" + "}" * 200_000 + "}")
    assert office.text(path) == "deep\n"
