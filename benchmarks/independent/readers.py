"""Reads files of several formats by independent libraries: every text that these know of."""

import email
import email.policy
import shutil
import subprocess
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path
from typing import Any


def read_docx(path: Path) -> Iterator[str]:
    """Paragraphs, tables, headers, footers, comments, addresses, properties."""
    import docx

    document = docx.Document(str(path))
    properties = document.core_properties
    yield from filter(None, (properties.title, properties.author, properties.subject, properties.keywords))
    yield from (paragraph.text for paragraph in document.paragraphs)
    for table in document.tables:
        seen = set()
        for cell in (cell for row in table.rows for cell in row.cells):
            if cell._tc not in seen:
                seen.add(cell._tc)
                yield cell.text
    for section in document.sections:
        yield from (paragraph.text for part in (section.header, section.footer) for paragraph in part.paragraphs)
    yield from (comment.text for comment in document.comments)
    yield from (link.target_ref for link in document.part.rels.values() if link.is_external)


def read_xlsx(path: Path) -> Iterator[str]:
    """Cells, comments, addresses, headers and footers, names of sheets."""
    import openpyxl

    workbook = openpyxl.load_workbook(path, data_only=True)
    yield workbook.properties.title or ""
    for sheet in workbook.worksheets:
        rows = list(sheet.iter_rows())
        if any(cell.value is not None for row in rows for cell in row):
            yield sheet.title
        for cell in (cell for row in rows for cell in row):
            if cell.value is not None:
                yield str(cell.value).removesuffix(" 00:00:00")
            if cell.comment:
                yield cell.comment.text
            if cell.hyperlink:
                yield cell.hyperlink.target or ""
        for part in (sheet.oddHeader, sheet.oddFooter):
            yield from (side.text or "" for side in (part.left, part.center, part.right))


def read_pptx(path: Path) -> Iterator[str]:
    """Shapes, tables, notes, addresses."""
    from pptx import Presentation

    presentation = Presentation(str(path))
    yield presentation.core_properties.author
    for slide in presentation.slides:
        for shape in slide.shapes:
            if shape.has_text_frame:
                yield shape.text_frame.text
                yield from (
                    run.hyperlink.address or "" for paragraph in shape.text_frame.paragraphs for run in paragraph.runs
                )
            if shape.has_table:
                yield from (cell.text for row in shape.table.rows for cell in row.cells)
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame:
            yield slide.notes_slide.notes_text_frame.text


def read_odf(path: Path) -> Iterator[str]:
    """Paragraphs and headings wherever they are, and addresses."""
    from odf import teletype
    from odf.opendocument import load
    from odf.text import A, H, P

    document = load(str(path))
    for kind in (H, P):
        for element in document.getElementsByType(kind):
            if not any(parent.qname[1] in ("p", "h") for parent in _parents(element)):
                yield teletype.extractText(element)
    yield from (link.getAttribute("href") for link in document.getElementsByType(A))


def _parents(element: Any) -> Iterator[Any]:
    parent = element.parentNode
    while parent is not None and hasattr(parent, "qname"):
        yield parent
        parent = parent.parentNode


def read_html(path: Path) -> Iterator[str]:
    """The text of a page without what docs/formats.md leaves out, its head, descriptions and addresses."""
    import bs4

    page = bs4.BeautifulSoup(path.read_bytes(), "lxml")
    for element in page(["script", "style", "nav", "template", "noscript", "iframe", "button"]):
        element.decompose()
    yield page.get_text(" ")
    yield from (str(entry.get("content", "")) for entry in page("meta", attrs={"name": "description"}))
    yield from (str(picture.get("alt", "")) for picture in page("img"))
    yield from (str(link["href"]) for link in page("a", href=True) if "://" in str(link["href"]))


def read_mail(path: Path) -> Iterator[str]:
    """Headers, and of the bodies the longest."""
    import bs4

    message = email.message_from_bytes(path.read_bytes(), policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    yield from (str(message[name] or "") for name in ("From", "To", "Subject"))
    bodies = []
    for part in message.walk():
        if part.get_content_maintype() == "text" and isinstance(part, EmailMessage):
            said = part.get_content()
            bodies.append(
                bs4.BeautifulSoup(said, "lxml").get_text(" ") if part.get_content_subtype() == "html" else said
            )
    yield max(bodies, key=len, default="")


def read_pdf(path: Path) -> Iterator[str]:
    """Text as poppler's pdftotext reads it, or pdfminer where that is not installed."""
    if shutil.which("pdftotext"):
        done = subprocess.run(["pdftotext", "-enc", "UTF-8", str(path), "-"], capture_output=True, check=False)
        yield done.stdout.decode("utf-8", "replace")
    else:
        from pdfminer.high_level import extract_text

        yield extract_text(str(path))


READERS: dict[str, Callable[[Path], Iterator[str]]] = {
    "docx": read_docx, "xlsx": read_xlsx, "pptx": read_pptx, "odt": read_odf, "ods": read_odf, "html": read_html,
    "eml": read_mail, "pdf": read_pdf,
}  # fmt: skip
