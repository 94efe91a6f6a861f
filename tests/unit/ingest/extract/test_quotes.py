import pytest

from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.extract.mail import extract_mail, extract_mailbox
from searchkit.ingest.extract.quotes import parts_of_text
from searchkit.types import Block, ExtractedDocument

OWN, THEIRS, FIRST = "Thursday suits me.", "I would say Thursday.", "When shall we meet?"
THREADS = {
    "marks": f"{OWN}\n\nOn 4 Mar 2025, Lorne <l@x.y> wrote:\n> {THEIRS}\n>\n> On 3 Mar 2025, Rhona wrote:\n>> {FIRST}\n",
    "marks without blanks": f"{OWN}\n\nAm 04.03.2025 schrieb Lorne:\n>{THEIRS}\n>\n>Le 3 mars Rhona a écrit :\n>>{FIRST}",
    "announced over two lines": f"{OWN}\n\nOn Tue, 4 Mar 2025, Lorne\n<lorne@x.y> wrote:\n\n> {THEIRS}\n> > {FIRST}\n",
    "headers": (
        f"{OWN}\n\n-----Original Message-----\nFrom: Lorne\nSent: Tuesday\nTo: Ada\nSubject: Re: Kiln\n\n{THEIRS}\n\n"
        f"From: Rhona\nSent: Monday\nTo: Lorne\nSubject: Kiln\n\n{FIRST}\n"
    ),
    "German headers": (
        f"{OWN}\n\n________________________________\nVon: Lorne\nGesendet: Dienstag\nAn: Ada\nBetreff: AW: Ofen\n\n{THEIRS}\n\n"
        f"Von: Rhona\nGesendet: Montag\nAn: Lorne\nBetreff: Ofen\n\n{FIRST}\n"
    ),
    "answer below": f"> > {FIRST}\n> {THEIRS}\n\n{OWN}\n",
}
MARKED_UP = {
    "cited": f"<p>{OWN}</p><blockquote type='cite'><p>{THEIRS}</p><blockquote type=cite>{FIRST}</blockquote></blockquote>",
    "of a web mailer": (
        f"<div>{OWN}</div><div class=gmail_quote><div>On 4 March 2025 Lorne wrote:<br></div><blockquote class='gmail_quote'>"
        f"{THEIRS}<br><blockquote class='gmail_quote'>{FIRST}</blockquote></blockquote></div>"
    ),
    "headers": (
        f"<p>{OWN}</p><div><p><b>From:</b> Lorne<br><b>Sent:</b> Tuesday<br><b>To:</b> Ada<br><b>Subject:</b> Re: Kiln</p>"
        f"<p>{THEIRS}</p>"
        f"<p><b>From:</b> Rhona<br><b>Sent:</b> Monday<br><b>To:</b> Lorne<br><b>Subject:</b> Kiln</p><p>{FIRST}</p></div>"
    ),
}


def passages(document: ExtractedDocument) -> list[tuple[str, str]]:
    """(text, place) of each passage."""
    return [(chunk.text, chunk.place) for chunk in chunk_document(document, lambda text: len(text.split()), 256)]


def assert_apart(found: list[tuple[str, str]]) -> None:
    holders = [[(text, place) for text, place in found if words in text] for words in (OWN, THEIRS, FIRST)]
    assert [len(holder) for holder in holders] == [1, 1, 1]
    assert len({holder[0] for holder in holders}) == 3
    assert [holder[0][1].endswith("quoted") for holder in holders] == [False, True, True]


@pytest.mark.parametrize("text", THREADS.values(), ids=THREADS)
def test_no_passage_has_the_words_of_two_people(text: str) -> None:
    message = f"From: Ada <a@x.y>\nSubject: Re: Kiln\nDate: Wed, 5 Mar 2025 09:00:00 +0100\n\n{text}"
    assert_apart(passages(extract_mail(message.encode())))
    assert_apart(passages(extract_mailbox(f"From a@x.y Wed Mar  5 09:00:00 2025\n{message}".encode())))


@pytest.mark.parametrize("text", MARKED_UP.values(), ids=MARKED_UP)
def test_quotations_in_html_are_apart_too(text: str) -> None:
    message = f"From: Ada <a@x.y>\nSubject: Re: Kiln\nContent-Type: text/html; charset=utf-8\n\n<html><body>{text}</body></html>"
    assert_apart(passages(extract_mail(message.encode())))


def test_short_mails_of_two_people_are_two_passages() -> None:
    box = "".join(
        f"From - Mon Mar 10 09:00:00 2025\nFrom: {who}\nSubject: Kiln\n\nI am {who}.\n\n" for who in ("Ada", "Joram")
    )
    assert [place for _, place in passages(extract_mailbox(box.encode()))] == ["message 1", "message 2"]


@pytest.mark.parametrize(
    "text",
    [*THREADS.values(), "", "a > b", "\n\n> \n", ">" * 40 + " deep", "From: Oslo\nTo: Bergen\nDate: 4 June\nby train"],
)
def test_no_word_is_lost(text: str) -> None:
    apart = " ".join(part.text for part in parts_of_text(text)).split()
    assert set(text.replace(">", " ").split()) <= set(" ".join(apart).replace(">", " ").split())


def test_a_short_question_stays_with_its_answer() -> None:
    assert [part.text for part in parts_of_text("Hello,\n> Ten o'clock?\nYes.\n> By train?\nNo.")] == [
        "Hello,\n> Ten o'clock?\nYes.\n> By train?\nNo."
    ]


def test_a_journey_is_no_quoted_mail() -> None:
    assert [part.level for part in parts_of_text("Booked:\n\nFrom: Oslo\nTo: Bergen\nDate: 4 June\n")] == [0]


def test_units_cut_where_nothing_else_does() -> None:
    document = ExtractedDocument("", (Block("one"), Block("two"), Block("three", unit=1)))
    assert [text for text, _ in passages(document)] == ["one\n\ntwo", "three"]
