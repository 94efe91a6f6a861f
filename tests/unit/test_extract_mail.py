import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.mail import extract_mail

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
    assert message.blocks[-1].headings == ("Roof", "Offer")


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
