import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.mail import extract_mail, extract_mailbox
from searchkit.types import BlockKind

HEAD = "From: a@b.c\nSubject: Roof\nMIME-Version: 1.0\n"


def texts(message: str) -> list[str]:
    return [block.text for block in extract_mail(message.encode()).blocks]


def parts(kind: str, *bodies: str) -> str:
    joined = "".join(f"--m\n{body}\n" for body in bodies)
    return f"{HEAD}Content-Type: multipart/{kind}; boundary=m\n\n{joined}--m--\n"


def test_encoded_headers_are_read() -> None:
    message = extract_mail(
        b"Subject: =?utf-8?q?Caf=C3=A9_am?= =?utf-8?b?IE1vcmdlbg==?=\nFrom: =?iso-8859-1?q?J=FCrgen?= <j@x.de>\n\nHello\n\nWorld"
    )
    assert message.title == "Café am Morgen"
    assert [b.text for b in message.blocks] == [
        "From: Jürgen <j@x.de>\nSubject: Café am Morgen",
        "Hello",
        "World",
    ]
    assert {block.headings for block in message.blocks} == {("Café am Morgen",)}


def test_a_subject_over_two_lines_is_one_line() -> None:
    assert extract_mail(b"Subject: The long\r\n story\r\n\r\nx").title == "The long story"


def test_the_plain_part_is_preferred() -> None:
    message = parts(
        "alternative",
        "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: quoted-printable\n\nplain caf=C3=A9",
        "Content-Type: text/html\n\n<p>marked up</p>",
    )
    assert texts(message)[1:] == ["plain café"]


def test_the_html_part_is_read_where_the_plain_one_is_blank() -> None:
    message = parts(
        "alternative", "Content-Type: text/plain\n\n  \n", "Content-Type: text/html\n\n<h1>H</h1><p>shown</p>"
    )
    assert texts(message)[1:] == ["H", "shown"]


def test_html_only_mail_is_read_under_its_headings() -> None:
    message = extract_mail((HEAD + "Content-Type: text/html\n\n<h1>Offer</h1><p>Tiles</p>").encode())
    assert list(message.blocks)[-1].headings == ("Roof", "Offer")


def test_text_behind_an_inline_picture_is_read() -> None:
    message = parts(
        "mixed",
        "Content-Type: text/plain\n\nbefore",
        "Content-Type: image/png\nContent-Disposition: inline; filename=roof.png\n\nAAAA",
        "Content-Type: text/plain\n\nafter",
    )
    assert texts(message) == ["From: a@b.c\nSubject: Roof\nAttachment: roof.png", "before", "after"]


def test_attachments_are_named_and_not_read() -> None:
    message = parts(
        "mixed",
        "Content-Type: text/plain\n\nbody",
        "Content-Type: application/pdf\nContent-Disposition: attachment; filename*=utf-8''Rechnung%20M%C3%A4rz.pdf\n\nAAAA",
        "Content-Type: text/plain\nContent-Disposition: attachment; filename=notes.txt\n\nprivate",
    )
    assert texts(message) == [
        "From: a@b.c\nSubject: Roof\nAttachment: Rechnung März.pdf\nAttachment: notes.txt",
        "body",
    ]


@pytest.mark.parametrize("content", [b"", b"no headers here\njust text"])
def test_a_file_without_headers_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="it has no headers"):
        extract_mail(content)


def test_a_mail_with_none_of_the_usual_headers_is_its_text() -> None:
    assert texts("X-Mailer: x\n\nbody") == ["body"]


def test_an_unknown_character_set_does_not_cost_the_mail() -> None:
    assert texts(HEAD + "Content-Type: text/plain; charset=klingon\n\nhello")[1:] == ["hello"]


@pytest.mark.parametrize("body", ["", "<!-- nothing -->"])
def test_an_empty_html_body_leaves_the_headers(body: str) -> None:
    assert texts(f"{HEAD}Content-Type: text/html\n\n{body}") == ["From: a@b.c\nSubject: Roof"]


def test_carriage_returns_part_paragraphs() -> None:
    message = extract_mail(b"Subject: x\r\n\r\none\r\ntwo\r\n\r\nthree\r\n")
    assert [b.text for b in message.blocks][1:] == ["one\ntwo", "three"]


def test_what_a_mail_says_of_itself_is_metadata() -> None:
    message = extract_mail(
        b"From: =?utf-8?q?J=C3=BCrgen?= <j@x.de>\nDate: Wed, 1 May 2024 07:30:00 +0200\nSubject: Roof\n\nx"
    )
    assert message.metadata == {
        "author": "Jürgen <j@x.de>",
        "date": "2024-05-01T07:30:00+02:00",
        "subject": "Roof",
    }
    assert "date" not in extract_mail(b"Subject: x\nDate: some day\n\nx").metadata


def test_a_message_in_a_message_is_read_under_both_subjects() -> None:
    inner = "Content-Type: message/rfc822\n\nSubject: Inner\nContent-Type: text/plain\n\ninner words"
    message = extract_mail(parts("mixed", "Content-Type: text/plain\n\nouter words", inner).encode())
    assert [(b.text, b.headings) for b in message.blocks] == [
        ("From: a@b.c\nSubject: Roof", ("Roof",)),
        ("outer words", ("Roof",)),
        ("Subject: Inner", ("Roof", "Inner")),
        ("inner words", ("Roof", "Inner")),
    ]


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        ("Content-Type: text/plain; charset=koi8-r\nContent-Transfer-Encoding: 8bit", "Крыша течёт".encode("koi8-r")),
        (
            "Content-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: base64",
            b"0JrRgNGL0YjQsCDRgtC10YfRkdGC\n",
        ),
        ("Content-Type: text/plain", "Крыша течёт".encode()),
        (
            "Content-Type: text/plain; charset=us-ascii",
            "Крыша течёт, и мы пишем об этом письмо соседям".encode("cp1251"),
        ),
    ],
)
def test_bodies_are_read_in_their_encoding(headers: str, body: bytes) -> None:
    message = extract_mail(f"Subject: x\n{headers}\n\n".encode() + body)
    assert list(message.blocks)[-1].text.startswith("Крыша течёт")


def test_headers_in_bytes_of_no_declared_encoding_are_guessed() -> None:
    assert extract_mail("Subject: Grüße\n\nx".encode()).title == "Grüße"
    assert extract_mail("Subject: Grüße\n\nx".encode("latin-1")).title == "Grüße"


BOX = (
    b"From ada@x Wed May  1 07:30:00 2024\nFrom: Ada <ada@x>\nDate: Wed, 1 May 2024 07:30:00 +0000\nSubject: Roof\n\n"
    b"It leaks.\n>From the chimney on.\n>>From quoted\n\nFrom here on it is text.\n\n"
    b"From bo@x Thu May  2 07:30:00 2024\r\nFrom: Bo <bo@x>\r\nSubject: Re: Roof\r\n\r\nTiles?\r\n\r\n"
    b"From c@x Fri May  3 07:30:00 2024\nX-Nothing: x\n\nno subject\n"
)


def test_a_mailbox_is_its_messages_under_their_subjects() -> None:
    found = [(b.kind, b.text, b.headings, b.place) for b in extract_mailbox(BOX).blocks]
    first, second, third = "message 1, 2024-05-01", "message 2", "message 3"
    assert found == [
        (BlockKind.HEADING, "Roof", ("Roof",), first),
        (BlockKind.TABLE, "From: Ada <ada@x>\nDate: Wed, 01 May 2024 07:30:00 +0000\nSubject: Roof", ("Roof",), first),
        (BlockKind.PARAGRAPH, "It leaks.\nFrom the chimney on.\n>From quoted", ("Roof",), first),
        (BlockKind.PARAGRAPH, "From here on it is text.", ("Roof",), first),
        (BlockKind.HEADING, "Re: Roof", ("Re: Roof",), second),
        (BlockKind.TABLE, "From: Bo <bo@x>\nSubject: Re: Roof", ("Re: Roof",), second),
        (BlockKind.PARAGRAPH, "Tiles?", ("Re: Roof",), second),
        (BlockKind.PARAGRAPH, "no subject", (), third),
    ]


def test_a_mailbox_is_read_as_it_is_asked_for() -> None:
    box = iter(extract_mailbox(BOX * 10_000).blocks)
    assert next(box).text == "Roof"


@pytest.mark.parametrize("content", [b"", b"words", b"Subject: x\n\nno box"])
def test_what_is_no_mailbox_is_refused(content: bytes) -> None:
    with pytest.raises(UnreadableFileError, match="not a mailbox"):
        extract_mailbox(content)


def test_a_damaged_message_costs_no_other() -> None:
    box = b"From a@x\n\nonly words\n\n" + BOX
    texts_of_box = [b.text for b in extract_mailbox(box).blocks]
    assert texts_of_box[0] == "only words"
    assert "Tiles?" in texts_of_box
