"""Reads EPUB: chapters in reading order, each as the web page that it is."""

import posixpath
import re
from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import unquote

from lxml import etree

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.archive import Archive, attribute, damaged, descendants, first, local
from searchkit.ingest.extract.markup.html import extract_html
from searchkit.ingest.extract.readers import leave_out
from searchkit.types import Block, ExtractedDocument

_KIND = "e-book"
_PAGES = ("xhtml+xml", "html", "x-dtbook+xml", "oeb1-document", "svg+xml")
_FONTS_ONLY = (
    "http://www.idpf.org/2008/embedding",
    "http://ns.adobe.com/pdf/enc#RC",
)  # encryption of fonts, not of text
_PROPERTIES = {
    "creator": "author",
    "date": "date",
    "subject": "tags",
    "language": "language",
    "publisher": "publisher",
    "description": "description",
}
_BODY = re.compile(rb"<body\b", re.IGNORECASE)


def extract_epub(content: bytes) -> ExtractedDocument:
    """Read blocks lazily, chapter by chapter; a block's place is its chapter's title, else its file.

    Raises UnreadableFileError for damaged books, and for those that only the shop's own program can open (DRM).
    """
    archive = Archive(content, _KIND)
    package_part = _package_part(archive)
    package = archive.xml(package_part)
    if package is None:
        raise damaged(_KIND, "the list of its chapters is missing")
    chapters = _chapters(archive, package, package_part)
    _refuse_locked(archive, chapters)
    title, metadata = _properties(package)
    names = _contents(archive, package, package_part)
    return ExtractedDocument(title, _blocks(archive, chapters, names), metadata)


def _package_part(archive: Archive) -> str:
    container = archive.xml("META-INF/container.xml")
    for root in descendants(container, "rootfile") if container is not None else ():
        if root.get("full-path", "") in archive:
            return root.get("full-path", "")
    found = [name for name in archive.names() if name.endswith(".opf")]
    if not found:
        raise damaged(_KIND, "the list of its chapters is missing")
    return found[0]


def _manifest(package: etree._Element, package_part: str) -> dict[str, tuple[str, etree._Element]]:
    """(part, entry) of everything in the book, by id."""
    folder = posixpath.dirname(package_part)
    return {
        item.get("id", ""): (_target(folder, item.get("href", "")), item)
        for item in descendants(package, "item")
        if item.get("href")
    }


def _target(folder: str, reference: str) -> str:
    return posixpath.normpath(posixpath.join(folder, unquote(reference.partition("#")[0])))


def _chapters(archive: Archive, package: etree._Element, package_part: str) -> list[str]:
    """The parts with text in reading order, each once, those that readers skip (linear="no") included; then those that only links
    lead to, such as notes that open in a window.
    """
    manifest = _manifest(package, package_part)
    found: dict[str, None] = {}
    order = [reference.get("idref", "") for reference in descendants(package, "itemref")]
    linked = [each for each, (_, item) in manifest.items() if order and each not in order and not _is_drawing(item)]
    for identifier in (*order, *linked):
        part, item = manifest.get(identifier, ("", None))
        is_page = item is not None and item.get("media-type", "").endswith(_PAGES)
        is_contents = item is not None and "nav" in item.get("properties", "").split()
        leave_out("table of contents", int(is_contents))
        if is_page and not is_contents and part in archive:
            found[part] = None
    if not found:
        raise damaged(_KIND, "its chapters are missing")
    return list(found)


def _is_drawing(item: etree._Element) -> bool:
    return item.get("media-type", "").endswith("svg+xml")


def _refuse_locked(archive: Archive, chapters: list[str]) -> None:
    """Raise UnreadableFileError if chapters are encrypted; obfuscated fonts do no harm."""
    root = archive.xml("META-INF/encryption.xml")
    locked = set()
    for entry in descendants(root, "EncryptedData") if root is not None else ():
        method, reference = first(entry, "EncryptionMethod"), first(entry, "CipherReference")
        algorithm = method.get("Algorithm", "") if method is not None else ""
        if reference is not None and algorithm not in _FONTS_ONLY:
            locked.add(_target("", reference.get("URI", "")).lower())
    if locked.intersection(chapter.lower() for chapter in chapters):
        raise UnreadableFileError(
            "copy-protected e-book (DRM): only the shop's own program opens it",
            remedy="ask the shop for a copy without protection",
        )


def _properties(package: etree._Element) -> tuple[str, dict[str, str]]:
    metadata = first(package, "metadata")
    said: dict[str, list[str]] = {}
    for entry in metadata.iter() if metadata is not None else ():
        value = " ".join((entry.text or "").split())
        is_other_date = local(entry.tag) == "date" and attribute(entry, "event") in ("modification", "conversion")
        if value and not is_other_date and "dc/elements" in str(entry.tag):
            said.setdefault(local(entry.tag), []).append(value)
    found = {ours: ", ".join(dict.fromkeys(said[theirs])) for theirs, ours in _PROPERTIES.items() if theirs in said}
    return next(iter(said.get("title", [])), ""), found


def _contents(archive: Archive, package: etree._Element, package_part: str) -> dict[str, str]:
    """Chapter titles by part, from the book's table of contents in either of its forms."""
    names: dict[str, str] = {}
    for part, item in _manifest(package, package_part).values():
        is_navigation = "nav" in item.get("properties", "").split()
        if part not in archive or not (is_navigation or item.get("media-type") == "application/x-dtbncx+xml"):
            continue
        try:
            root = archive.xml(part)
        except UnreadableFileError:  # the chapters repeat it; the book can be read without it
            continue
        for entry in descendants(root, "navPoint", "a") if root is not None else ():
            text, reference = _entry(entry)
            if text and reference:
                names.setdefault(_target(posixpath.dirname(part), reference).lower(), text)
    return names


def _entry(entry: etree._Element) -> tuple[str, str]:
    """(title, reference) of an entry of the table of contents."""
    if local(entry.tag) == "a":
        return " ".join("".join(str(text) for text in entry.itertext()).split()), entry.get("href", "")
    label, content = first(entry, "navLabel"), first(entry, "content")
    text = " ".join("".join(str(text) for text in label.itertext()).split()) if label is not None else ""
    return text, content.get("src", "") if content is not None else ""


def _blocks(archive: Archive, chapters: list[str], names: dict[str, str]) -> Iterator[Block]:
    for part in chapters:
        name = names.get(part.lower(), "")
        chapter = extract_html(_as_page(archive.read(part)))
        blocks = tuple(chapter.blocks)
        title = name or next((block.headings[0] for block in blocks if block.headings), "")
        said = " ".join(block.text for block in blocks).casefold()
        above = (
            (name,) if name and name.casefold() not in said else ()
        )  # the table of contents may say more than the chapter
        for block in blocks:
            headings = (*above, *block.headings) or ((title,) if title else ())
            yield replace(block, headings=headings, line=None, line_end=None, place=title or posixpath.basename(part))


def _as_page(content: bytes) -> bytes:
    """Turn a chapter into an HTML page with all of its body as the main part: footnotes are in asides, which pages exclude.

    Books are XML, in which <title/> and <a id="x"/> are closed; in HTML they would swallow what follows.
    """
    try:
        root = etree.fromstring(
            content,
            etree.XMLParser(
                resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True
            ),
        )
    except etree.XMLSyntaxError:
        return _BODY.sub(b'<body role="main"', content, count=1)
    for element in root.iter():
        if isinstance(element.tag, str):
            element.tag = local(element.tag)
    etree.cleanup_namespaces(root)
    for body in root.iter("body"):
        body.set("role", "main")
    return etree.tostring(root, method="html", encoding="utf-8")
