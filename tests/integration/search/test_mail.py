"""Mail by its people, subject and attachments, in every form in which it is read; and a sender's own mail before mentions."""

import mailbox
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path

import pytest
from click.testing import CliRunner

from searchkit.catalog import messages
from searchkit.catalog.connection import open_for_writing
from searchkit.cli.main import cli
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.maintenance.rebuild import rebuild_collection, verify_collection
from searchkit.search.query.filters import Filters
from searchkit.search.request import SearchRequest
from searchkit.types import NoteKind, SearchMode
from tests.support.compound_files import compound_file
from tests.support.office_files import zipped
from tests.unit.ingest.extract.test_legacy import msg

pytestmark = pytest.mark.both_homes

ANNA, BERND = "Anna Müller <anna.mueller@example.org>", '"Schröder, Bernd" <b.schroeder@firma.example>'
WANG, OLGA = "王小明 <wang@example.cn>", "Ольга Петрова <olga@пример.рф>"
OUTLOOK = {
    f"{tag}001F": text.encode("utf-16-le")
    for tag, text in {
        "0037": "Mill wheel", "0C1A": "Ada Lovelace", "5D01": "ada@mill.example", "0E04": "Grace Hopper", "1000": "It turns."
    }.items()
}  # fmt: skip
LONG = ", ".join(f"Member {number} <m{number}@club.example>" for number in range(120))


def mail(sender: str, to: str, subject: str, text: str, *, cc: str = "", bcc: str = "", **files: bytes) -> bytes:
    message = EmailMessage()
    for name, value in (("From", sender), ("To", to), ("Cc", cc), ("Bcc", bcc), ("Subject", subject)):
        if value:
            message[name] = value
    message["Date"] = "Mon, 10 Mar 2025 09:00:00 +0100"
    message.set_content(f"{text}\n")
    for name, content in files.items():
        message.add_attachment(content, "application", "octet-stream", filename=name.replace("_", "."))
    return bytes(message)


def within() -> bytes:
    """A mail with another one attached."""
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = "Carla <carla@example.org>", ANNA, "Forwarded"
    message.set_content("See the mail that is attached.\n")
    inner = EmailMessage()
    inner["From"], inner["Subject"] = "Dora Inner <dora@example.org>", "Turbine"
    inner.set_content("The turbine stands still.\n")
    message.add_attachment(inner)
    return bytes(message)


@pytest.fixture
def mails(tmp_path: Path) -> Path:
    folder = tmp_path / "mails"
    (folder / "new").mkdir(parents=True)
    boiler = mail(
        ANNA, BERND, "Boiler in the Kübelgasse", "The boiler leaks.", cc=WANG, plan_txt=b"The plan of the cellar."
    )
    (folder / "boiler.eml").write_bytes(boiler)
    reply = mail(BERND, ANNA, "Re: Boiler", "The boiler was repaired.", bcc="Hidden Person <secret@example.org>")
    (folder / "reply.emlx").write_bytes(b"%d\n" % len(reply) + reply)
    (folder / "new" / "1700000000.M1P2.host").write_bytes(
        mail(WANG, LONG, "会議 agenda", "We meet about the boiler on Monday.")
    )
    (folder / "olga.zip").write_bytes(
        zipped({"letters/olga.eml": mail(OLGA, WANG, "Boiler", "Olga writes of it.").decode()})
    )
    (folder / "forward.eml").write_bytes(within())
    (folder / "notes.md").write_text(
        "# Notes\n\nAnna Müller said that the boiler leaks. Anna Müller and Anna Müller.\n"
    )
    box = mailbox.mbox(folder / "box.mbox")
    for number, sender in enumerate((ANNA, BERND, "Joanna Doe <jd@example.org>")):
        subject, text = f"Box {number}", f"Message {number} of the box."
        box.add(
            mail(sender, OLGA, subject, text, list_txt=b"Seven.") if number == 1 else mail(sender, OLGA, subject, text)
        )
    box.close()
    (folder / "outlook.msg").write_bytes(compound_file(msg("", **OUTLOOK)))
    return folder


@pytest.fixture
def indexed(library: Library, mails: Path) -> Iterator[Library]:
    library.index(mails)
    yield library


def found(library: Library, query: str, filters: Filters | None = None, k: int = 50) -> set[str]:
    request = SearchRequest(query, k, mode=SearchMode.LEXICAL, filters=filters or Filters())
    return {name_of(hit.path, hit.place) for hit in library.find(request).hits}


def name_of(path: Path, place: str) -> str:
    return " ".join(
        part for part in (path.stem.split(".")[0], place.partition(", line")[0].replace(", 2025-03-10", "")) if part
    )


OF_ANNA = {"boiler", "boiler attachment plan.txt", "box message 1"}
OF_BERND = {"reply", "box message 2", "box message 2, attachment list.txt"}


CASES: tuple[tuple[str, set[str]], ...] = (
    ("from:anna", OF_ANNA),
    ("from:ANNA.MUELLER@example.org", OF_ANNA),
    ("from:müller", OF_ANNA),
    ("from:mueller", OF_ANNA),
    ("from:muller", OF_ANNA),
    ("from:Mül", OF_ANNA),
    ('from:"Anna Müller"', OF_ANNA),
    ('from:"Müller, Anna"', OF_ANNA),
    ('from:"anna schröder"', set()),
    ('from:"Bernd Schroeder"', OF_BERND),
    ("from:schröd", OF_BERND),
    ("from:@firma.example", OF_BERND),
    ("from:firma", OF_BERND),
    ("from:chröder", OF_BERND),  # of no word the beginning
    ("from:anna from:bernd", OF_ANNA | OF_BERND),
    ("from:anna,bernd", OF_ANNA | OF_BERND),
    ("from:小明", {"1700000000"}),
    ("from:ｗａｎｇ", {"1700000000"}),
    ("from:ольга", {"olga letters/olga.eml"}),
    ("from:пример.рф", {"olga letters/olga.eml"}),
    ("from:carla", {"forward"}),
    ("from:dora", {"forward attachment Turbine.eml"}),
    ("from:nobody", set()),
    ("to:anna", {"reply", "forward"}),
    ("to:王小明", {"boiler", "boiler attachment plan.txt", "olga letters/olga.eml"}),  # in copy
    ("to:secret", {"reply"}),  # in blind copy
    ("to:m119@club.example", {"1700000000"}),
    ('to:"Member 77"', {"1700000000"}),
    ('to:"Member Olga"', set()),
    ("subject:kübel", {"boiler", "boiler attachment plan.txt"}),
    ("subject:kuebelgasse", {"boiler", "boiler attachment plan.txt"}),
    ('subject:"boiler in the"', {"boiler", "boiler attachment plan.txt"}),
    ('subject:"in boiler"', set()),
    ("subject:議", {"1700000000"}),
    ("subject:BOILER from:bernd", {"reply"}),
    ("subject:turbine", {"forward attachment Turbine.eml"}),
    ("has:attachment from:anna", {"boiler", "boiler attachment plan.txt"}),
    ("has:attachments to:anna", {"forward"}),
    ("from:anna -has:attachment", {"box message 1"}),
    ("to:olga -from:anna -from:joanna", {"box message 2", "box message 2, attachment list.txt"}),
    ("boiler -from:anna type:mail -to:anna", {"1700000000", "olga letters/olga.eml"}),
    ("boiler -subject:boiler", {"1700000000", "notes"}),
    ("from:anna since:2026", set()),
    ("from:lovelace subject:wheel to:hopper", {"outlook"}),
    ("from:ada@mill.example", {"outlook"}),
)


def test_mail_is_found_by_its_people_subject_and_attachments(indexed: Library) -> None:
    assert {query: found(indexed, query) for query, _ in CASES} == dict(CASES)


def test_each_message_of_a_mailbox_is_a_hit_of_a_filter_alone(indexed: Library) -> None:
    assert found(indexed, "to:olga path:*.mbox") == {"box message 1", "box message 2", "box message 3"}


def test_options_filter_as_the_query_does(indexed: Library) -> None:
    assert found(indexed, "", Filters(senders=("anna",))) == OF_ANNA
    assert found(indexed, "", Filters(senders=("anna",), not_has=("attachment",))) == {"box message 1"}
    assert found(indexed, "from:bernd", Filters(recipients=("olga",), subjects=("box",), has=("attachment",))) == {
        "box message 2",
        "box message 2, attachment list.txt",
    }


@pytest.mark.parametrize("mode", [SearchMode.LEXICAL, SearchMode.HYBRID])
def test_mail_from_a_person_comes_before_mail_to_it_and_mentions_come_last(indexed: Library, mode: SearchMode) -> None:
    for query in ("anna müller", "Anna Mueller", "mail from anna", "anna"):
        hits = indexed.find(SearchRequest(query, 20, mode=mode)).hits
        order = [name_of(hit.path, hit.place) for hit in hits]
        assert len(OF_ANNA & set(order)) >= 2, query
        last = max(order.index(each) for each in OF_ANNA & set(order))
        assert last < order.index("reply") < order.index("notes"), query
        assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
        assert not hits[0].weak


def test_a_mail_on_a_subject_from_a_person_comes_before_others_that_mention_both(indexed: Library) -> None:
    best = indexed.find(SearchRequest("anna boiler")).hits[0]
    assert name_of(best.path, best.place).startswith("boiler")


def test_nothing_changes_where_there_is_no_mail(library: Library, docs: Path) -> None:
    library.index(docs)
    for hit in library.find(SearchRequest("anna roses")).hits:
        assert hit.evidence.explanation is not None
        assert (hit.sender, hit.evidence.explanation.person) == ("", 0.0)


def test_hits_show_who_sent_a_mail_and_when(indexed: Library, tmp_path: Path) -> None:
    (hit,) = indexed.find(SearchRequest("subject:boiler from:anna type:mail")).hits
    assert hit.sender == "Anna Müller <anna.mueller@example.org>"
    shown = CliRunner().invoke(
        cli, ["search", "--mode", "lexical", "--from", "anna", "boiler"], env={"SEARCHKIT_HOME": str(tmp_path / "home")}
    )
    assert "from Anna Müller, 2025-03-10" in shown.output


def test_a_value_that_makes_no_sense_is_text_and_said_so(indexed: Library) -> None:
    for typed in ("has:banana", "from:!!", "to:,"):
        notes = indexed.find(SearchRequest(f"boiler {typed}", mode=SearchMode.LEXICAL)).notes
        assert NoteKind.FILTER_MISREAD in {note.kind for note in notes}, typed


@pytest.mark.parametrize(
    "values", [{"senders": ("!!",)}, {"subjects": ("",)}, {"has": ("banana",)}, {"not_recipients": ("-",)}]
)
def test_an_option_that_makes_no_sense_is_refused(values: dict[str, tuple[str, ...]]) -> None:
    with pytest.raises(UsageError):
        Filters(**values)  # type: ignore[arg-type]


@pytest.mark.in_files
def test_an_older_collection_gets_its_messages_from_what_is_stored(indexed: Library, tmp_path: Path) -> None:
    file = catalog_of(tmp_path)
    before = table(file)
    assert before
    indexed.close()
    with closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE messages")
        connection.execute("DELETE FROM _sqlite_migrations WHERE name LIKE 'm009%'")
        connection.execute("PRAGMA user_version")
        connection.commit()
    with open_for_writing(file):
        pass
    assert table(file) == before


def catalog_of(tmp_path: Path) -> Path:
    return tmp_path / "home" / "collections" / "mails" / "catalog.db"


def table(file: Path) -> list[tuple[object, ...]]:
    with closing(sqlite3.connect(file)) as connection:
        return connection.execute("SELECT * FROM messages ORDER BY document_id, first").fetchall()


@pytest.mark.in_files
def test_damage_to_the_messages_is_found_and_mended(indexed: Library, tmp_path: Path) -> None:
    collection = indexed.collection("mails")
    assert verify_collection(collection) == []
    with closing(sqlite3.connect(catalog_of(tmp_path))) as connection:
        connection.execute("UPDATE messages SET senders = ' nobody ' WHERE senders LIKE '% anna %'")
        connection.commit()
    assert [damage.part for damage in verify_collection(collection)] == ["messages"]
    rebuild_collection(collection, [], lambda _: None)
    assert found(indexed, "from:anna") == OF_ANNA


@pytest.mark.parametrize(
    ("written", "people"),
    [
        ("a@b.c, d@e.f", ["a@b.c", "d@e.f"]),
        ('"Müller, Anna" <a@b.c>; Bernd <d@e.f>', ['"Müller, Anna" <a@b.c>', "Bernd <d@e.f>"]),
        ("Müller, Anna <a@b.c>", ["Müller, Anna <a@b.c>"]),
        ("undisclosed-recipients:;", ["undisclosed-recipients:"]),
        ('"broken <a@b.c>, x@y.z', ['"broken <a@b.c>', "x@y.z"]),
        ("", []),
    ],
)
def test_lists_of_people_are_taken_apart(written: str, people: list[str]) -> None:
    assert messages.people_in(written) == people
