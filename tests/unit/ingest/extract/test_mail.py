import base64
import binascii
import os
import plistlib
from collections.abc import Callable
from pathlib import PurePath

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.mail import attachments, extract_mail, extract_mailbox, extract_saved_page
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


def test_a_mail_in_a_mail_is_a_file_with_it() -> None:
    inner = "Content-Type: message/rfc822\n\nSubject: Inner\nContent-Type: text/plain\n\ninner words"
    message = parts("mixed", "Content-Type: text/plain\n\nouter words", inner)
    assert texts(message) == ["From: a@b.c\nSubject: Roof\nAttachment: Inner.eml", "outer words"]
    (attached,) = attachments("mail", message.encode())
    assert attached.name == "Inner.eml"
    assert [block.text for block in extract_mail(attached.content).blocks] == ["Subject: Inner", "inner words"]


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


def test_a_date_that_no_calendar_has_does_not_cost_the_mail() -> None:
    assert texts("Subject: x\nDate: Mon, 4 Mar 2024 10:00:99999999999 +0100\n\nhello")[-1] == "hello"
    assert texts("Subject: x\nDate: Mon, 4 Mar 99999999999 10:00:00 +0100\n\nhello")[-1] == "hello"


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


MARKED_UP = (
    "<p>Your crossing leaves at 06:45 from pier 7. Booking code QX-48213; check-in closes forty minutes before.</p>"
)


@pytest.mark.parametrize(
    "plain",
    [
        "This e-mail cannot be shown as plain text. Please turn on HTML in your mail program.",
        "View in browser: https://x.example/1",
        "Ihr E-Mail-Programm unterstützt kein HTML.",
    ],
)
def test_a_placeholder_does_not_hide_what_the_mail_says(plain: str) -> None:
    message = parts(
        "alternative", f"Content-Type: text/plain; charset=utf-8\n\n{plain}", f"Content-Type: text/html\n\n{MARKED_UP}"
    )
    assert "QX-48213" in " ".join(texts(message)[1:])
    assert plain not in texts(message)


def test_a_plain_text_that_says_something_else_is_read_besides_the_html() -> None:
    plain, shown = (" ".join(f"{word}{n}" for n in range(100)) for word in ("plain", "shown"))
    body = " ".join(
        texts(
            parts(
                "alternative", f"Content-Type: text/plain\n\n{plain}", f"Content-Type: text/html\n\n<p>{shown} x x</p>"
            )
        )
    )
    assert plain in body
    assert shown in body


@pytest.mark.parametrize(
    "marks",
    [
        "X-Mozilla-Status: 0009",
        "X-Mozilla-Status: 0008",
        "X-Mozilla-Status2: 00200000",
        "Status: D",
        "Status: RD",
        "X-Status: AD",
    ],
)
def test_a_deleted_mail_is_not_read(marks: str) -> None:
    deleted = f"{marks}\nFrom: a@b.c\nSubject: Salary\n\nLorne earns more.\n"
    with pytest.raises(UnreadableFileError, match="was deleted"):
        extract_mail(deleted.encode())
    kept = "X-Mozilla-Status: 0001\nStatus: RO\nFrom: a@b.c\nSubject: Kiln\n\nType K.\n"
    box = extract_mailbox(f"From - x\n{deleted}\nFrom - y\n{kept}".encode())
    found = [(block.text, block.place) for block in box.blocks]
    assert ("Type K.", "message 2") in found
    assert "earns" not in str(found)


@pytest.mark.parametrize("status", ["RO", "Delivered", "O", ""])
def test_a_status_that_deletes_nothing_is_no_mark(status: str) -> None:
    assert texts(f"Status: {status}\nX-Mozilla-Status: zz\nFrom: a@b.c\n\nhello")[-1] == "hello"


@pytest.mark.parametrize("flags", [0, 8590195713, 2, 8590195715])
def test_apple_mail_is_read_without_its_marks(flags: int) -> None:
    message = "From: a@b.c\nSubject: Kiln\n\nType K.\n"
    marks = f"<?xml version='1.0'?><plist><dict><key>flags</key>\n\t<integer>{flags}</integer></dict></plist>"
    content = f"{len(message)}   \n{message}{marks}".encode()
    if flags & 2:
        with pytest.raises(UnreadableFileError, match="was deleted"):
            extract_mail(content)
    else:
        assert [block.text for block in extract_mail(content).blocks] == ["From: a@b.c\nSubject: Kiln", "Type K."]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-8-sig"])
def test_a_mail_in_another_unicode_is_read(encoding: str) -> None:
    message = extract_mail("Subject: Periwinkle\r\nFrom: a@b.c\r\n\r\nThe order has come: 5 €.\r\n".encode(encoding))
    assert message.title == "Periwinkle"
    assert list(message.blocks)[-1].text == "The order has come: 5 €."


def test_a_saved_page_is_its_html_without_its_pictures() -> None:
    page = "<html><head><title>Sealing a floor</title></head><body><h2>How often</h2><p>Every eighteen =\nmonths.</p></body></html>"
    saved = extract_saved_page(
        (
            "From: <Saved by Blink>\nSnapshot-Content-Location: https://x.example/slate\nSubject: Slate\nMIME-Version: 1.0\n"
            'Content-Type: multipart/related; type="text/html"; boundary=b\n\n--b\nContent-Type: text/html\n'
            f"Content-Transfer-Encoding: quoted-printable\n\n{page}\n--b\nContent-Type: image/jpeg\n"
            f"Content-Transfer-Encoding: base64\n\n{'QUJD' * 1000}\n--b\nContent-Type: text/html\n\n<p>a frame</p>\n--b--\n"
        ).encode()
    )
    assert saved.title == "Sealing a floor"
    assert saved.metadata == {"url": "https://x.example/slate", "subject": "Slate"}
    assert [(block.text, block.headings) for block in saved.blocks] == [
        ("How often", ("How often",)),
        ("Every eighteen months.", ("How often",)),
        ("a frame", ()),
    ]


def said(message: str | bytes) -> str:
    content = message.encode() if isinstance(message, str) else message
    return " ".join(block.text for block in extract_mail(content).blocks)


def test_html_behind_a_file_continues_the_text() -> None:
    message = parts(
        "mixed",
        "Content-Type: text/plain\n\nThe plan is attached.",
        "Content-Type: application/pdf\nContent-Disposition: inline; filename=plan.pdf\n\nAAAA",
        "Content-Type: text/html\n\n<p>Please answer by Friday.</p>",
    )
    assert said(message).endswith("The plan is attached. Please answer by Friday.")


def test_text_in_parts_of_one_form_is_read_whole() -> None:
    inner = (
        "--n\nContent-Type: text/html\n\n<p>The roof leaks since March, see the picture.</p>\n"
        "--n\nContent-Type: image/png; name=roof.png\n\nAAAA\n--n\nContent-Type: text/html\n\n<p>The gutter too.</p>\n--n--\n"
    )
    pointer = "Content-Type: text/plain\n\nNot shown here."
    message = parts("alternative", pointer, f"Content-Type: multipart/mixed; boundary=n\n\n{inner}")
    assert said(message).endswith("The roof leaks since March, see the picture. The gutter too.")


def test_both_forms_of_a_text_are_read_once_where_they_are_not_said_to_be_that() -> None:
    text = "The kiln needs a new thermocouple of type K."
    message = parts("mixed", f"Content-Type: text/plain\n\n{text}", f"Content-Type: text/html\n\n<p>{text}</p>")
    assert said(message).count("thermocouple") == 1


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("text/markdown", "# Minutes\n\nThe gate stays shut."),
        ("text/enriched", "<bold>Minutes</bold> The <color><param>red</param>gate</color> stays shut. 1 << 2"),
        ("text/x-log", "Minutes: the gate stays shut."),
        ("text/rfc822-headers", "Minutes: The gate stays shut."),
    ],
)
def test_a_text_of_any_kind_is_read(kind: str, body: str) -> None:
    for message in (f"{HEAD}Content-Type: {kind}\n\n{body}", parts("mixed", f"Content-Type: {kind}\n\n{body}")):
        assert "Minutes" in said(message)
        assert "gate stays shut." in said(message)
        assert "param" not in said(message)


def test_a_page_for_mail_programs_that_animate_is_not_read_instead_of_the_mail() -> None:
    message = parts(
        "alternative",
        "Content-Type: text/plain\n\nYour order has left the store in Hull.",
        "Content-Type: text/x-amp-html\n\n<html><style>zstyle</style>Your order</html>",
        "Content-Type: text/html\n\n<p>Your order has left the store in Hull.</p>",
    )
    assert said(message).endswith("Your order has left the store in Hull.")


def test_why_a_mail_could_not_be_delivered_is_read() -> None:
    report = (
        "Content-Type: message/delivery-status\n\nReporting-MTA: dns; mx\n\nDiagnostic-Code: smtp; 550 quota exceeded\n"
    )
    message = parts("report", "Content-Type: text/plain\n\nIt came back.", report)
    assert "550 quota exceeded" in said(message)
    assert "Attachment" not in said(message)


@pytest.mark.parametrize("boundary", ["other", ""])
def test_parts_whose_boundary_is_not_the_one_announced_are_read(boundary: str) -> None:
    inside = "--other\nContent-Type: text/html\n\n<p>The tiles are here.</p>\n--other--\n"
    message = f"{HEAD}Content-Type: multipart/mixed; boundary=m\n\n{inside if boundary else 'The tiles are here.'}"
    assert said(message).endswith("The tiles are here.")
    nested = parts("mixed", "Content-Type: multipart/alternative; boundary=none\n\nThe tiles are here.")
    assert said(nested).endswith("The tiles are here.")


def test_a_text_that_claims_base64_is_read_as_it_is() -> None:
    body = "Dear Ada,\nthe tiles are here, all forty.\nYours, Bo"
    assert said(f"{HEAD}Content-Transfer-Encoding: base64\n\n{body}").endswith(body)


def test_base64_that_no_header_announces_is_read_as_what_it_is() -> None:
    letters = base64.encodebytes(("The tiles are here, all forty. Größe 4. " * 9).encode()).decode()
    codes = base64.encodebytes(os.urandom(600)).decode()
    assert "all forty. Größe 4." in said(f"{HEAD}\nhello\n\n{letters}")
    found = said(f"{HEAD}\nbefore\n-----BEGIN PGP MESSAGE-----\n\n{codes}-----END PGP MESSAGE-----\nafter")
    assert codes[:70] not in found
    assert "before" in found
    assert found.endswith("after")


def test_a_file_in_the_text_itself_is_a_file() -> None:
    lines = b"".join(binascii.b2a_uu(b"the tiles are here, all forty"[i : i + 45]) for i in (0,)).decode()
    message = f"{HEAD}\nsee below\nbegin 644 tiles.txt\n{lines}`\nend\nregards"
    assert said(message).endswith("see below\ntiles.txt\nregards")
    assert [(each.name, each.content) for each in attachments("mail", message.encode())] == [
        ("tiles.txt", b"the tiles are here, all forty")
    ]


def test_words_over_two_lines_are_whole_where_a_mail_says_so() -> None:
    flowed = "Content-Type: text/plain; format=flowed; delsp=yes\n\n"
    assert said(f"{HEAD}{flowed}the thermo \ncouple is new\n-- \nBo").endswith("the thermocouple is new\n-- \nBo")


def test_a_quotation_of_another_program_is_no_words_of_the_sender() -> None:
    page = '<div>I agree.</div><div id="yahoo_quoted_1" class="yahoo_quoted"><div>On Monday, Bo wrote:</div><p>Forty?</p></div>'
    blocks = extract_mail((HEAD + "Content-Type: text/html\n\n" + page).encode()).blocks
    assert [(block.text, block.place) for block in blocks][1:] == [
        ("I agree.", ""),
        ("On Monday, Bo wrote:", "quoted"),
        ("Forty?", "quoted"),
    ]


@pytest.mark.parametrize("name", ["page.webarchive", "page"])
def test_a_page_that_safari_has_saved_is_its_html(name: str) -> None:
    def resource(page: str, address: str) -> dict[str, object]:
        about = {"WebResourceMIMEType": "text/html", "WebResourceTextEncodingName": "utf-8", "WebResourceURL": address}
        return {"WebMainResource": {"WebResourceData": page.encode(), **about}}

    whole = resource("<title>Slate</title><h2>How often</h2><p>Every März.</p>", "https://x.example/slate")
    whole["WebSubframeArchives"] = [resource("<p>a frame</p>", "https://y.example/")]
    content = plistlib.dumps(whole, fmt=plistlib.FMT_BINARY)
    assert format_of(PurePath(name), content) == "mhtml"
    document = extract_saved_page(content)
    assert (document.title, document.metadata) == ("Slate", {"url": "https://x.example/slate"})
    assert [block.text for block in document.blocks] == ["How often", "Every März.", "a frame"]
    with pytest.raises(UnreadableFileError, match="damaged or incomplete web archive"):
        extract_saved_page(content[:-40])


def _der(tag: int, *content: bytes) -> bytes:
    joined = b"".join(content)
    length = len(joined).to_bytes(2, "big")
    return bytes([tag]) + (bytes([len(joined)]) if len(joined) < 128 else b"\x82" + length) + joined


_DATA = bytes.fromhex("06092a864886f70d010701")


@pytest.mark.parametrize(
    ("sealed", "is_read"),
    [
        (lambda text: _der(0x30, _DATA, _der(0xA0, _der(0x04, text))), True),
        (
            lambda text: (
                b"\x30\x80" + _DATA + b"\xa0\x80\x24\x80" + _der(4, text[:40]) + _der(4, text[40:]) + b"\0" * 6
            ),
            True,
        ),
        (lambda _: _der(0x30, _DATA, _der(0x30, b"\x06\x01\x01"), _der(0x80, bytes(200))), False),
        (lambda _: _DATA + b"\xa0", False),
    ],
    ids=["whole", "in pieces", "encrypted", "cut off"],
)
def test_what_is_only_signed_is_read(sealed: Callable[[bytes], bytes], is_read: bool) -> None:
    inner = parts(
        "mixed",
        "Content-Type: text/plain\n\nThe tiles are here.",
        "Content-Type: text/plain\nContent-Disposition: attachment; filename=n.txt\n\nforty",
    )
    content = base64.encodebytes(b"\x30\x03\x02\x01\x01" + sealed(inner.encode())).decode()
    message = (
        f"{HEAD}Content-Type: application/pkcs7-mime; smime-type=signed-data; name=smime.p7m\n"
        f"Content-Transfer-Encoding: base64\n\n{content}"
    )
    assert ("The tiles are here." in said(message)) is is_read
    names = [each.name for each in attachments("mail", message.encode())]
    assert names == (["n.txt"] if is_read else ["smime.p7m"])


def test_a_mail_that_was_sent_as_a_file_in_base64_is_a_file() -> None:
    inner = base64.encodebytes(b"Subject: Kiln\nFrom: a@b.c\n\nType K.\n").decode()
    head = "Content-Type: message/rfc822\nContent-Transfer-Encoding: base64\nContent-Disposition: attachment; filename=kiln.eml"
    (attached,) = attachments("mail", parts("mixed", "Content-Type: text/plain\n\nx", f"{head}\n\n{inner}").encode())
    assert (attached.name, attached.content) == ("kiln.eml", b"Subject: Kiln\nFrom: a@b.c\n\nType K.\n")
