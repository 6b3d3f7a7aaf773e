"""PDFs that are made of documents: copies, parts, several in one, pictures; what is kept, and what is taken out."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pikepdf
import pypdfium2
import pytest
from PIL import Image

from tests.integration.test_documents import DOCUMENTS, MULTI_PAGE, Office
from tests.resources.pdfs import Leaf, acting, laughing, written
from tests.resources.workers import Worker

OUTLINE = DOCUMENTS / "outline.pdf"
FORM = DOCUMENTS / "form.pdf"


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    with Worker(tmp_path_factory.mktemp("paper"), service="document") as worker:
        yield Office(worker)


def texts(path: Path, password: str | None = None) -> list[str]:
    """The text of each page, as another reader finds it."""
    with pypdfium2.PdfDocument(path, password=password) as document:
        return [page.get_textpage().get_text_range().replace("\r\n", "\n") for page in document]


def titles(pdf: pikepdf.Pdf) -> list[Any]:
    """The outline, each title with those below it."""

    def below(items: Any) -> list[Any]:
        return [(item.title, below(item.children)) if item.children else item.title for item in items]

    with pdf.open_outline() as outline:
        return below(outline.root)


def leads_to(pdf: pikepdf.Pdf, link: Any) -> int:
    """The page that a link leads to, counted from 0, whether by name or not."""
    target = link.get("/Dest") or link.A.D
    if isinstance(target, pikepdf.String):
        target = pikepdf.NameTree(pdf.Root.Names.Dests)[str(target)]
        target = target.D if isinstance(target, pikepdf.Dictionary) else target
    return pikepdf.Page(target[0]).index


def links_of_both(before: pikepdf.Pdf, after: pikepdf.Pdf) -> list[tuple[Any, Any]]:
    """The links of the first page before and after, of those that still lead somewhere."""
    known = {str(name) for name in pikepdf.NameTree(after.Root.Names.Dests)}
    pairs = zip(before.pages[0].Annots, after.pages[0].Annots, strict=True)
    return [(old, new) for old, new in pairs if str(new.A.D) in known]


def everything(path: Path) -> bytes:
    """All that is in a PDF, unpacked."""
    with pikepdf.open(path) as pdf, io.BytesIO() as file:
        pdf.save(
            file,
            compress_streams=False,
            stream_decode_level=pikepdf.StreamDecodeLevel.generalized,
            object_stream_mode=pikepdf.ObjectStreamMode.disable,
        )
        return file.getvalue()


# --- pages of a PDF


def test_some_pages_are_a_pdf_of_their_own_and_nothing_of_the_others_is_in_it(office: Office, tmp_path: Path) -> None:
    leaves = [Leaf().text(50, 60, f"Secret number {number}") for number in range(1, 6)]
    source = written(tmp_path / "five.pdf", leaves, title="Five", outline=[("First", 1), ("Fourth", 4)])
    out, result = office.make(source, "pdf", pages="2,4-5")
    made = out / "document.pdf"
    assert [text.strip() for text in texts(made)] == ["Secret number 2", "Secret number 4", "Secret number 5"]
    assert result["outputs"][0]["details"] == {"format": "pdf", "pages": 3, "encrypted": False}
    inside = everything(made)
    assert b"Secret number 4" in inside
    assert b"Secret number 1" not in inside
    with pikepdf.open(made) as pdf:
        assert (titles(pdf), str(pdf.docinfo.Title), pdf.is_linearized) == (["Fourth"], "Five", True)


def test_links_by_name_lead_to_the_pages_that_were_taken(office: Office) -> None:
    out, _ = office.make(OUTLINE, "pdf", pages="1,3-4")
    with pikepdf.open(OUTLINE) as before, pikepdf.open(out / "document.pdf") as after:
        places = {leads_to(before, old): leads_to(after, new) for old, new in links_of_both(before, after)}
        names = [item[0] if isinstance(item, tuple) else item for item in titles(after)]
    assert places == {2: 1, 3: 2}  # the second page is not there, and what led to it leads nowhere
    assert len(names) == 5


def test_some_pages_are_shown_as_the_whole_is(office: Office, tmp_path: Path) -> None:
    source = written(tmp_path / "two.pdf", [Leaf().text(50, 60, "One"), Leaf().text(50, 60, "Two")])
    with pikepdf.open(source, allow_overwriting_input=True) as pdf:
        pdf.Root.ViewerPreferences = pikepdf.Dictionary(DisplayDocTitle=True, Enforce=pikepdf.Array([]))
        pdf.save(source)
    out, _ = office.make(source, "pdf", pages="2")
    with pikepdf.open(out / "document.pdf") as made:
        assert made.Root.ViewerPreferences.DisplayDocTitle is True


def test_pages_are_turned(office: Office, tmp_path: Path) -> None:
    leaves = [Leaf(300, 200).text(20, 40, "One"), Leaf(300, 200, rotate=90).text(20, 40, "Two")]
    source = written(tmp_path / "two.pdf", leaves)
    out, _ = office.make(source, "pdf", rotate={"degrees": 90})
    with pypdfium2.PdfDocument(out / "document.pdf") as made:
        assert [page.get_size() for page in made] == [(200, 300), (300, 200)]
    out, _ = office.make(source, "pdf", rotate={"degrees": 180, "pages": "2"})
    with pikepdf.open(out / "document.pdf") as pdf:
        assert [int(page.get("/Rotate", 0)) for page in pdf.pages] == [0, 270]


def test_a_document_is_cut_where_it_is_said(office: Office) -> None:
    def cut(path: Path = MULTI_PAGE, **split: Any) -> list[tuple[str, int]]:
        out, result = office.make(path, "pdf", split=split)
        parts = result["outputs"]
        return [(part["details"]["pages"], len(texts(out / part["path"]))) for part in parts]

    assert cut(every=1) == [(str(number), 1) for number in range(1, 6)]
    assert cut(every=2) == [("1-2", 2), ("3-4", 2), ("5", 1)]
    assert cut(ranges="4-5,1") == [("4-5", 2), ("1", 1)]
    assert office.failure(MULTI_PAGE, "pdf", split={"chapters": 1})["code"] == "no_chapters"
    assert office.failure(MULTI_PAGE, "pdf", split={"ranges": "4-9"})["code"] == "no_such_page"


def test_a_document_is_cut_at_its_chapters(office: Office, tmp_path: Path) -> None:
    leaves = [Leaf().text(50, 60, f"Page {number}") for number in range(1, 8)]
    source = written(tmp_path / "book.pdf", leaves, outline=[("One", 2), ("Two", 5), ("Three", 5)])
    out, result = office.make(source, "pdf", split={"chapters": 1})
    details = [part["details"] for part in result["outputs"]]
    assert details == [{"pages": "1"}, {"pages": "2-4", "title": "One"}, {"pages": "5-7", "title": "Two"}]
    assert result["details"]["notes"] == ['parts/part-003.pdf begins with "Two"; on the same page begin "Three".']
    with pikepdf.open(out / "parts" / "part-002.pdf") as pdf:
        assert titles(pdf) == ["One"]
    assert [text.strip() for text in texts(out / "parts" / "part-003.pdf")] == ["Page 5", "Page 6", "Page 7"]


def test_several_documents_become_one_with_what_belongs_to_each(office: Office, tmp_path: Path) -> None:
    picture = tmp_path / "scan.png"
    Image.new("L", (300, 200), 128).save(picture, dpi=(100, 100))
    out, result = office.make(OUTLINE, "pdf", append=[FORM, picture, FORM])
    assert result["outputs"][0]["details"]["pages"] == 7
    with pikepdf.open(out / "document.pdf") as pdf:
        assert [each if isinstance(each, str) else each[0] for each in titles(pdf)] == [
            "outline.pdf",
            "form.pdf",
            "scan.png",
            "form.pdf",
        ]
        assert titles(pdf)[0][1][:2] == ["Foo", "Bar"]
        names = [field.fully_qualified_name for field in pdf.acroform.fields]
        assert len(names) == len({*names}) == 2  # two forms of one make remain two
        assert [round(float(side)) for side in pdf.pages[5].mediabox] == [0, 0, 216, 144]
        links = [link for link in pdf.pages[0].Annots if "/A" in link or "/Dest" in link]
        assert links
        assert all(leads_to(pdf, link) < 4 for link in links)


def test_what_is_attached_comes_along(office: Office, tmp_path: Path) -> None:
    paths = []
    for number in (1, 2):
        with pikepdf.open(MULTI_PAGE) as pdf:
            pdf.attachments["data.csv"] = pikepdf.AttachedFileSpec(pdf, f"row {number}".encode(), mime_type="text/csv")
            pdf.save(tmp_path / f"with-{number}.pdf")
        paths.append(tmp_path / f"with-{number}.pdf")
    for spec in ({}, {"pages": "1-2"}):
        out, _ = office.make(paths[0], "pdf", append=paths[1:], **spec)
        with pikepdf.open(out / "document.pdf") as pdf:
            found = {name: spec.get_file().read_bytes() for name, spec in pdf.attachments.items()}
        assert found == {"data.csv": b"row 1", "data.csv 2": b"row 2"}


# --- passwords


def test_passwords_open_and_lock(office: Office) -> None:
    locked = DOCUMENTS / "r6_user_password.pdf"
    assert office.failure(locked, "pdf")["code"] == "password_needed"
    assert office.failure(locked, "pdf", password="")["code"] == "password_needed"
    assert office.failure(locked, "pdfa", password="wrong")["code"] == "wrong_password"
    other = DOCUMENTS / "aes_user_password.pdf"
    assert office.failure(MULTI_PAGE, "pdf", append=[other])["message"].startswith("aes_user_password.pdf is protected")
    out, _ = office.make(locked, "pdf", password="asdfzxcv")
    assert "crazy" in "".join(texts(out / "document.pdf")) or texts(out / "document.pdf")
    out, _ = office.make(DOCUMENTS / "owner_password.pdf", "pdf")  # that of the owner alone is not needed
    with pikepdf.open(out / "document.pdf") as pdf:
        assert not pdf.is_encrypted
    out, result = office.make(MULTI_PAGE, "pdf", outputPassword="geheim ü")
    assert result["outputs"][0]["details"]["encrypted"] is True
    with pytest.raises(pikepdf.PasswordError):
        pikepdf.open(out / "document.pdf")
    with pikepdf.open(out / "document.pdf", password="geheim ü") as pdf:
        assert (pdf.encryption.R, pdf.encryption.bits) == (6, 256)


# --- what acts


@pytest.mark.parametrize("spec", [{}, {"pages": "1"}, {"split": {"every": 1}}])
def test_nothing_in_a_copy_acts_and_links_stay(office: Office, tmp_path: Path, spec: dict[str, Any]) -> None:
    out, result = office.make(acting(tmp_path / "acting.pdf"), "pdf", **spec)
    made = out / result["outputs"][0]["path"]
    inside = everything(made)
    assert not [
        word for word in (b"JavaScript", b"Launch", b"/bin/sh", b"/AA", b"/XFA", b"app.alert") if word in inside
    ]
    assert b"http://a.b/" in inside
    assert texts(made)[0].strip() == "The text stays"
    assert "JavaScript" in result["details"]["notes"][0]
    assert "Launch" in result["details"]["notes"][0]


def test_metadata_with_entities_are_not_read_and_not_passed_on(office: Office, tmp_path: Path) -> None:
    out, _ = office.make(laughing(tmp_path / "laughing.pdf"), "text", "pdf", "pdfa", metadata=True)
    assert (out / "document.txt").read_text() == "No joke\n"
    assert "declares entities" in (out / "metadata.json").read_text()
    for name in ("document.pdf", "document-a.pdf"):
        inside = everything(out / name)
        assert not [word for word in (b"ENTITY", b"hahaha", b"root:") if word in inside]


# --- pictures


def test_a_jpeg_goes_in_as_it_is_and_stands_upright(office: Office, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6  # to be turned to the right
    picture = Image.new("RGB", (400, 200), "white")
    picture.paste("red", (0, 0, 200, 200))
    picture.save(tmp_path / "photo.jpg", dpi=(200, 100), exif=exif, quality=90)
    out, _result = office.make(tmp_path / "photo.jpg", "pdf", "preview", preview={"width": 144, "height": 144})
    assert (tmp_path / "photo.jpg").read_bytes() in (out / "document.pdf").read_bytes()
    with pypdfium2.PdfDocument(out / "document.pdf") as document:
        assert document[0].get_size() == (144, 144)
    with Image.open(out / "preview.jpg") as shown:
        assert shown.getpixel((72, 20))[2] < 100  # the left half is on top now
        assert shown.getpixel((72, 120))[2] > 200


def test_every_page_of_a_tiff_is_a_page_of_its_size(office: Office, tmp_path: Path) -> None:
    frames = [Image.new("1", (850, 1100), number % 2) for number in range(11)]
    frames[3] = Image.new("CMYK", (200, 100), (0, 255, 255, 0))
    frames[0].save(tmp_path / "fax.tif", save_all=True, append_images=frames[1:], dpi=(100, 100), compression=None)
    out, _result = office.make(
        tmp_path / "fax.tif", "pdf", "preview", preview={"pages": "all", "width": 100, "height": 99}
    )
    with pypdfium2.PdfDocument(out / "document.pdf") as document:
        assert [page.get_size() for page in document] == [(612, 792) if page != 3 else (144, 72) for page in range(11)]
    with Image.open(out / "preview-0002.jpg") as white, Image.open(out / "preview-0003.jpg") as black:
        assert white.getpixel((20, 20)) == (255, 255, 255)
        assert black.getpixel((20, 20)) == (0, 0, 0)
    with Image.open(out / "preview-0004.jpg") as red:
        channels = red.getpixel((20, 20))
    assert channels[0] > 180
    assert max(channels[1:]) < 80
    assert (out / "document.pdf").stat().st_size < 60_000


def test_a_picture_that_says_no_size_or_a_mad_one_fits_on_paper(office: Office, tmp_path: Path) -> None:
    for dots in (None, (72, 72), (0.001, 0.001)):
        Image.new("L", (4000, 3000)).save(tmp_path / "camera.png", **({} if dots is None else {"dpi": dots}))
        out, _ = office.make(tmp_path / "camera.png", "pdf")
        with pypdfium2.PdfDocument(out / "document.pdf") as document:
            width, height = document[0].get_size()
        assert 500 < height < width < 843
    path = tmp_path / "cut.jpg"
    Image.effect_noise((800, 800), 90).save(path)
    path.write_bytes(path.read_bytes()[:20_000])
    assert office.failure(path, "pdf")["code"] == "damaged_picture"


# --- pictures of pages of every kind


@pytest.mark.parametrize("suffix", ["html", "md", "txt", "png"])
def test_every_kind_of_document_is_pictured(office: Office, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"page.{suffix}"
    if suffix == "png":
        Image.new("RGB", (80, 60), "navy").save(path)
    else:
        path.write_text("<html><body><h1>Title</h1><p>Text" if suffix == "html" else "# Title\n\nText")
    out, _ = office.make(path, "preview", preview={"contactSheet": True, "format": "png"})
    for name in ("preview.png", "contact-sheet.png"):
        with Image.open(out / name) as picture:
            darkest, lightest = picture.convert("L").getextrema()
        assert lightest - darkest > 100 or suffix == "png"


# --- what a PDF says of itself


def test_a_pdf_that_has_everything_is_told_of(office: Office, tmp_path: Path) -> None:
    with pikepdf.open(DOCUMENTS / "commented.pdf") as pdf:
        pdf.add_pages_from(pikepdf.open(DOCUMENTS / "form.pdf"))
        pdf.Root.Lang = pikepdf.String("de-AT")
        pdf.attachments["data.csv"] = pikepdf.AttachedFileSpec(pdf, b"1,2,3", mime_type="text/csv", description="Rows")
        with pdf.open_metadata() as xmp:
            xmp["dc:title"], xmp["pdfaid:part"] = "Everything", "2"
        with pdf.open_outline() as outline:
            outline.root.append(pikepdf.OutlineItem("The form", 1))
        signature = pikepdf.Dictionary(
            Type=pikepdf.Name.Annot,
            Subtype=pikepdf.Name.Widget,
            FT=pikepdf.Name.Sig,
            T=pikepdf.String("signature"),
            Rect=pikepdf.Array([0, 0, 0, 0]),
            V=pikepdf.Dictionary(
                Type=pikepdf.Name.Sig,
                Filter=pikepdf.Name("/Adobe.PPKLite"),
                SubFilter=pikepdf.Name("/adbe.pkcs7.detached"),
                Name=pikepdf.String("Ada"),
                Reason=pikepdf.String("I agree"),
            ),
        )
        field = pdf.make_indirect(signature)
        pdf.Root.AcroForm.Fields.append(field)
        pdf.pages[1].Annots.append(field)
        allowed = pikepdf.Permissions(print_highres=False, print_lowres=False)
        pdf.save(tmp_path / "all.pdf", encryption=pikepdf.Encryption(owner="o", user="u", allow=allowed))
    out, _ = office.make(tmp_path / "all.pdf", password="u", metadata=True)
    found = json.loads((out / "metadata.json").read_text())
    assert found["xmp"]["dc:title"] == "Everything"
    assert found["xmp"]["pdfaid:part"] == "2"
    assert found["attachments"] == [{"name": "data.csv", "description": "Rows", "mediaType": "text/csv", "size": 5}]
    assert (found["encryption"]["bits"], found["encryption"]["openedAs"]) == (256, "user")
    assert {"print", "copy"} & {*found["encryption"]["permissions"]} == {"copy"}
    assert found["signatures"] == [{"reason": "I agree", "time": None, "filter": "adbe.pkcs7.detached", "name": "Ada"}]
    assert found["language"] == "de-AT"
    assert [(note["kind"], note["author"]) for note in found["notes"]] == [("text", "moose")] * 2
    assert found["annotations"]["highlight"] == 1
    assert [entry["title"] for entry in found["outline"]] == ["The form"]
    assert [field["name"] for field in found["fields"]][:1] == ["foo"]
    assert all({"name", "embedded"} == font.keys() for font in found["fonts"])
    assert [(page["number"], round(page["width"])) for page in found["pages"]] == [(1, 612), (2, 595)]
    assert (found["words"] > 150, found["hiddenText"]) == (True, False)
