"""What `fetch` answers: {"id", "title", "text", "url", "metadata"}, a file's text or as much of it as was asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from searchkit.display import on_one_line
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.serve.mcp.shown import DATA, Answer, check_scope, file_url, is_code, one_line
from searchkit.serve.quoted_text import quoted_text
from searchkit.serve.reference_ids import DocumentId, PassageId, is_document_id
from searchkit.serve.references import AboutDocument, OpenedDocument, open_document, open_passage

_LONGEST_ABOUT = 500


def fetch_answer(library: Library, asked: Mapping[str, str | int], scope: Sequence[str]) -> Answer:
    """The text that an id stands for: of a document from its beginning, of a passage from there if it is far behind that.

    Raises UsageError for what is no id, ReferenceGoneError, CollectionNotFoundError.
    """
    reference, most = str(asked["id"]), int(asked["max_characters"])
    is_document = is_document_id(reference)
    check_scope(_collection_of(reference, is_document=is_document), scope)
    opened = (
        open_document(library, reference, max_characters=most) if is_document else _around(library, reference, most)
    )
    about, first = opened.document, opened.passages[0]
    return {
        "id": reference.strip(),
        "title": one_line(about.path.name + (f": {about.title}" if about.title else "")),
        "text": _quoted(opened).text,
        "url": file_url(about.path, first.page, first.line if first.ordinal else None),
        "metadata": _metadata(about, opened, _next(library, opened)),
    }


def _collection_of(reference: str, *, is_document: bool) -> str:
    try:
        return (DocumentId if is_document else PassageId).read(reference).collection
    except UsageError as error:
        raise UsageError(
            f"'{on_one_line(reference)[:60]}' is not an id of a passage or a document. Ids come with the results of a"
            " search, such as docs:p12.3.9f3a2b1c4d5e6f70: search first."
        ) from error


def _around(library: Library, reference: str, most: int) -> OpenedDocument:
    """A passage's document from its beginning, if the passage is within so many characters, else from the passage on."""
    found = open_passage(library, reference)
    opened = open_document(library, found.document.id, max_characters=most)
    if 0 < opened.next_start <= found.passage.ordinal:
        return open_document(library, found.document.id, start=found.passage.ordinal, max_characters=most)
    return opened


def _next(library: Library, opened: OpenedDocument) -> str:
    """The id of the passage to go on with, "" at the end."""
    if not opened.next_start:
        return ""
    return open_document(library, opened.document.id, start=opened.next_start, max_characters=1).passages[0].id


def _quoted(opened: OpenedDocument) -> OpenedDocument:
    """The same for other programs' eyes; each passage by itself, so that a comment without an end does not hide the rest."""
    in_code = is_code(opened.document.path)
    passages = (
        replace(each, text=quoted_text(each.text, is_code=in_code), heading=one_line(each.heading))
        for each in opened.passages
    )
    return replace(opened, passages=tuple(passages))


def _metadata(about: AboutDocument, opened: OpenedDocument, following: str) -> dict[str, str]:
    """As texts. `next`: the id to go on with, "" at the end."""
    said = "; ".join(f"{name}: {value}" for name, value in about.metadata.items())
    first, last = opened.passages[0].ordinal + 1, opened.passages[-1].ordinal + 1
    return {
        "path": on_one_line(str(about.path)),
        "collection": about.collection,
        "format": about.format,
        "date": about.date,
        "about": one_line(said)[:_LONGEST_ABOUT],
        "passages": f"{first} to {last} of {about.passages}",
        "document": about.id,
        "next": following,
        "note": DATA,
    }
