"""Who wrote a mail and to whom, about what, and with which files: the table of messages, and what filters find in it.

The table follows from the stored passages: a mail's first passage begins with its headers (see mail.py), in a mailbox that of
each message. What came with a mail is found by the mail's people and subject too.
"""

import json
import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import NamedTuple

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.text import is_in_unspaced_script, name_words, spelled_out

FORMATS = ("mail", "mailbox", "msg")
HEADERS = ("From", "To", "Cc", "Bcc", "Date", "Subject", "Attachment")  # as readers write them, in this order
_PEOPLE = ("From", "To", "Cc", "Bcc")
_HEADER = re.compile(rf"({'|'.join(HEADERS)}): ?(.*)")
_PLACE = re.compile(r"message \d+(?:, \d{4}-\d\d-\d\d)?")
_PART = re.compile(r'(?:"(?:[^"\\]|\\.)*"|<[^<>]*>|[^,;"<]|["<])+')
_LAST = 2**31  # the number of no passage: to the end of a document
_FEWEST_WITHIN = 3  # letters of a part that may stand anywhere in a word
_COLUMNS = "document_id, first, last, place, sender, senders, recipients, subject, has_attachment"


class Message(NamedTuple):
    """A mail, or a file that came with it: the passages of a document from `first` to `last`, both included.

    `place`: in a mailbox. `sender`: as written. `senders`, `recipients`: a line for each person, its words folded, with a blank
    before and after each; `subject`: the same for its words.
    """

    document_id: int
    first: int
    last: int
    place: str
    sender: str
    senders: str
    recipients: str
    subject: str
    has_attachment: int


@dataclass(frozen=True, slots=True)
class MessageFilter:
    """Conditions on a mail: of several values of one kind one must match. `has_attachment`: None if it does not matter."""

    senders: tuple[str, ...] = ()
    recipients: tuple[str, ...] = ()
    subjects: tuple[str, ...] = ()
    has_attachment: bool | None = None

    def __bool__(self) -> bool:
        """True if there is any condition."""
        return bool(self.senders or self.recipients or self.subjects) or self.has_attachment is not None


def create(catalog: CatalogWriter) -> None:
    """Create the table in a database."""
    catalog.execute(
        """
        CREATE TABLE messages (
            id INTEGER PRIMARY KEY,
            document_id INTEGER NOT NULL REFERENCES documents(id) ON DELETE CASCADE,
            first INTEGER NOT NULL,
            last INTEGER NOT NULL,
            place TEXT NOT NULL,
            sender TEXT NOT NULL,
            senders TEXT NOT NULL,
            recipients TEXT NOT NULL,
            subject TEXT NOT NULL,
            has_attachment INTEGER NOT NULL
        )
        """
    )
    catalog.execute("CREATE INDEX messages_by_document ON messages(document_id)")


def refill(catalog: CatalogWriter) -> None:
    """Fill the table from what is stored."""
    catalog.change("DELETE FROM messages")
    for (document_id,) in catalog.execute("SELECT id FROM documents ORDER BY id").fetchall():
        insert_messages(catalog, document_id)


def insert_messages(catalog: CatalogWriter, document_id: int) -> None:
    """Store the messages of a document; the file that it is inside has been stored before."""
    marks = ", ".join("?" * len(Message._fields))
    catalog.change_many(f"INSERT INTO messages ({_COLUMNS}) VALUES ({marks})", list(messages_in(catalog, document_id)))


def messages_in(catalog: CatalogReader, document_id: int) -> list[Message]:
    """The messages of a document, as its passages say; of a file that came with a mail, that mail's."""
    row = catalog.execute(
        "SELECT format, metadata, container_id, inside FROM documents WHERE id = ?", (document_id,)
    ).fetchone()
    if row is None:
        return []
    format_name, metadata, container_id, inside = row
    if format_name in FORMATS:
        author = json.loads(metadata or "{}").get("author", "")
        query = "SELECT ordinal, place, text FROM chunks WHERE document_id = ? ORDER BY ordinal"
        chunks = catalog.execute(query, (document_id,)).fetchall()
        if format_name != "mailbox":
            return [_message(document_id, "", chunks, author)] if chunks else []
        groups = groupby(chunks, key=lambda chunk: _place(chunk[1]))
        return [_message(document_id, place, list(of_it)) for place, of_it in groups if place]
    return [] if container_id is None else _carried(catalog, document_id, container_id, inside)


def stored(catalog: CatalogReader) -> dict[int, list[Message]]:
    """The messages of each document that has any, as they are in the table."""
    found: dict[int, list[Message]] = {}
    for row in catalog.execute(f"SELECT {_COLUMNS} FROM messages ORDER BY id"):
        found.setdefault(row[0], []).append(Message(*row))
    return found


def _place(place: str) -> str:
    found = _PLACE.match(place)
    return found.group() if found else ""


def _carried(catalog: CatalogReader, document_id: int, container_id: int, inside: str) -> list[Message]:
    """What is known of a file in a mail: the innermost one that it came with."""
    names = ", ".join(f"m.{name}" for name in Message._fields)
    rows = catalog.execute(
        f"SELECT {names}, d.inside FROM documents d JOIN messages m ON m.document_id = d.id"
        f" WHERE d.id < ?1 AND (d.id = ?2 OR d.container_id = ?2) AND d.format IN {FORMATS}"
        " AND (d.inside = '' OR substr(?3, 1, length(d.inside) + 2) = d.inside || ', ') ORDER BY length(d.inside) DESC",
        (document_id, container_id, inside),
    )
    for *columns, carrier in rows:
        message = Message(*columns)
        within = inside[len(carrier) + 2 :] if carrier else inside
        if not message.place or within.startswith(f"{message.place}, "):
            return [message._replace(document_id=document_id, first=0, last=_LAST, place="", has_attachment=1)]
    return []


def _message(document_id: int, place: str, chunks: Sequence[tuple[int, str, str]], author: str = "") -> Message:
    headers = _headers(text for _, _, text in chunks)
    sender = " ".join(headers.get("From", [author]))
    recipients = [value for name in _PEOPLE[1:] for value in headers.get(name, [])]
    return Message(
        document_id,
        chunks[0][0],
        chunks[-1][0],
        place,
        sender,
        _lines([sender]),
        _lines(recipients),
        _padded(spelled_out(" ".join(headers.get("Subject", [])))),
        int("Attachment" in headers),
    )


def _headers(texts: Iterator[str]) -> dict[str, list[str]]:
    """The headers with which a message begins. A list of recipients may go on in the next passages."""
    found: dict[str, list[str]] = {}
    reached, name = 0, ""
    for text in texts:
        parts = text.split("\n\n", 2)
        begins = next((part for part in parts[:2] if _HEADER.match(part)), "") if not found else parts[0]
        for line in begins.split("\n"):
            header = _HEADER.match(line)
            if header and HEADERS.index(header[1]) >= reached:
                name, reached = header[1], HEADERS.index(header[1])
                found.setdefault(name, []).append(header[2])
            elif name in _PEOPLE:
                found[name][-1] += f" {line}"
            else:
                return found
        if name not in _PEOPLE and not (name == "Attachment" and len(parts) == 1):
            return found
    return found


def _lines(lists: Sequence[str]) -> str:
    return "\n".join(_padded(_spellings(person)) for addresses in lists for person in people_in(addresses))


def people_in(addresses: str) -> list[str]:
    """The people in a list of names and addresses; Müller, Anna <anna@example.org> is one."""
    people: list[str] = []
    surname = ""
    for part in (found.group().strip() for found in _PART.finditer(addresses)):
        if part and "@" not in part:
            surname = f"{surname}, {part}" if surname else part
        elif part:
            people.append(f"{surname}, {part}" if surname else part)
            surname = ""
    return [*people, *([surname] if surname else [])]


_ADDRESS = re.compile(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;:]*")


def _spellings(person: str) -> list[str]:
    """The words of a name and an address, and the address as it is."""
    decoded = _ADDRESS.sub(lambda found: _decoded(found.group()), person)
    return [*spelled_out(decoded), *(address.casefold() for address in _ADDRESS.findall(decoded))]


def _decoded(address: str) -> str:
    """An address with its domain in letters: xn--bcher-kva is bücher."""
    if "xn--" not in address:
        return address
    try:
        local, _, domain = address.rpartition("@")
        return f"{local}@{domain.encode('ascii').decode('idna')}"
    except UnicodeError:
        return address


def _padded(words: Sequence[str]) -> str:
    return f" {' '.join(words)} " if words else ""


def chunks_of_messages(catalog: CatalogReader, wanted: MessageFilter) -> set[int]:
    """Ids of the chunks of the messages that meet all conditions, and of what came with them."""
    found: set[int] | None = None
    for column, values in (
        ("senders", wanted.senders),
        ("recipients", wanted.recipients),
        ("subject", wanted.subjects),
    ):
        if values:
            of_values = set().union(*(_with(catalog, column, value) for value in values))
            found = of_values if found is None else found & of_values
    condition, parameters = "TRUE", []
    if wanted.has_attachment is not None:
        condition, parameters = "m.has_attachment = ?", [int(wanted.has_attachment)]
    if found is not None:
        condition += f" AND m.id IN {catalog.dialect.listed}"
    rows = catalog.execute(
        f"SELECT c.id FROM messages m {catalog.dialect.first} chunks c"
        f" ON c.document_id = m.document_id AND c.ordinal BETWEEN m.first AND m.last WHERE {condition}",
        (*parameters, *([json.dumps(sorted(found))] if found is not None else [])),
    )
    return {int(chunk) for (chunk,) in rows}


class Correspondents(NamedTuple):
    """The words of a mail's sender, without the address's domain, and of each recipient."""

    sender: frozenset[str]
    recipients: tuple[frozenset[str], ...]


def correspondents(catalog: CatalogReader, hashes: Sequence[bytes]) -> dict[bytes, Correspondents]:
    """Who wrote the mails with some passages, and to whom, by content hash; passages that are in no mail are left out."""
    rows = catalog.execute_among(
        f"SELECT c.content_hash, m.senders, m.recipients FROM chunks c {catalog.dialect.first} messages m"
        " ON m.document_id = c.document_id AND c.ordinal BETWEEN m.first AND m.last WHERE c.content_hash IN ({items})",
        hashes,
    )
    return {
        content_hash: Correspondents(_named(senders), tuple(map(_named, recipients.split("\n"))))
        for content_hash, senders, recipients in rows
    }


def _named(person: str) -> frozenset[str]:
    """The words of a person's name, and of the address's local part."""
    words = person.split()
    of_domains = {part for word in words if "@" in word for part in name_words(word.rpartition("@")[2])}
    of_name = {part for word in words if "@" in word for part in name_words(word.rpartition("@")[0])}
    others = {*of_domains, "|"} - of_name
    return frozenset(word for word in words if "@" not in word and word not in others)


def has_words(value: str) -> bool:
    """True if a value can be looked for: it has a letter or a digit."""
    return bool(name_words(value))


def _with(catalog: CatalogReader, column: str, value: str) -> set[int]:
    """Ids of messages by words that begin so; if there are none, by words that contain it."""
    tests = _phrases(value) if column == "subject" else _parts_of_person(value)
    return _among(catalog, column, tests) or _among(
        catalog, column, [[part.lstrip() for part in each if len(part.strip()) >= _FEWEST_WITHIN] for each in tests]
    )


def _phrases(value: str) -> list[list[str]]:
    """A subject has all of the words in order, the last perhaps only begun."""
    spellings = {" ".join(name_words(value)), " ".join(name_words(value, expanded=True))}
    return [sorted(_begun(spelling) for spelling in spellings)]


def _parts_of_person(value: str) -> list[list[str]]:
    """One person has each part in one of its spellings: words of the name, or the beginning of an address, or its end from @ on."""
    tests: list[list[str]] = []
    for part in value.translate(str.maketrans("<>,;\"'()", " " * 8)).split():
        if "@" in part.strip("@") or part.startswith("@"):
            tests.append([part.casefold() if part.startswith("@") else f" {part.casefold()}"])
        else:
            pairs = zip(name_words(part), name_words(part, expanded=True), strict=True)
            tests += [sorted({_begun(word), _begun(expanded)}) for word, expanded in pairs]
    return tests


def _begun(words: str) -> str:
    return words if is_in_unspaced_script(words) else f" {words}"


def _among(catalog: CatalogReader, column: str, tests: Sequence[Collection[str]]) -> set[int]:
    """Ids of the messages of which one line of a column passes all tests: it contains one of each test's strings."""
    if not tests or not all(tests):
        return set()
    contains = catalog.dialect.contains.format(text=column)
    condition = " AND ".join(f"({' OR '.join([contains] * len(each))})" for each in tests)
    rows = catalog.execute(
        f"SELECT id, {column} FROM messages WHERE {condition}", [part for each in tests for part in each]
    )
    return {
        int(message)
        for message, lines in rows
        if any(all(any(part in line for part in each) for each in tests) for line in lines.split("\n"))
    }
