import json
import re
from pathlib import PurePath
from typing import Any

import pytest

from searchkit.errors import UnreadableFileError
from searchkit.ingest.chunk import chunk_document
from searchkit.ingest.extract.detect import format_of
from searchkit.ingest.extract.readers import extract


def read(content: bytes, name: str) -> list[tuple[str, str]]:
    """(text, place) of each block."""
    return [(block.text, block.place) for block in extract(format_of(PurePath(name), content), content).blocks]


CALENDAR = """BEGIN:VCALENDAR
PRODID:x
BEGIN:VTIMEZONE
TZID:Europe/Berlin
END:VTIMEZONE
BEGIN:VEVENT
UID:1
DTSTART;TZID=Europe/Berlin:20250310T090000
DTEND:20250310T100000Z
SUMMARY:Piano tun
 er\\, upstairs
ORGANIZER;CN="Rhona":mailto:rhona@meadow.example
LOCATION:Mill Lane 4
DESCRIPTION:Bring the key.\\nThe second
  string is broken.
BEGIN:VALARM
ACTION:DISPLAY
END:VALARM
END:VEVENT
BEGIN:VTODO
SUMMARY:Oil the wheel
DUE:20250401
END:VTODO
END:VCALENDAR
"""


@pytest.mark.parametrize("name", ["a.ics", "invite", "a.txt"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_events_are_read_with_folded_lines(name: str, end: str) -> None:
    assert read(CALENDAR.replace("\n", end).encode(), name) == [
        ("Piano tuner, upstairs", "event 1, 2025-03-10"),
        (
            "Dtstart: 2025-03-10 09:00\nDtend: 2025-03-10 10:00 UTC\nOrganizer: Rhona <rhona@meadow.example>\n"
            "Location: Mill Lane 4\nDescription: Bring the key.\nThe second string is broken.",
            "event 1, 2025-03-10",
        ),
        ("Oil the wheel", "event 2"),
        ("Due: 2025-04-01", "event 2"),
    ]


def test_cards_are_read_with_every_word_but_pictures() -> None:
    cards = (
        "BEGIN:VCARD\nVERSION:3.0\nFN:Lorne Dunmore\nN:Dunmore;Lorne;;;\nORG:Mill;Wheel\nTEL;TYPE=CELL:+44 17 11\n"
        "ADR;TYPE=HOME:;;Mill Lane 4;Sollund;;1069;\nEMAIL:lorne@meadow.example\nNOTE:Type K\\, not J\n"
        "X-ALIAS:Sparks\nPHOTO;ENCODING=b:QUJD\n QUJD\nEND:VCARD\n"
        "BEGIN:VCARD\nVERSION:2.1\nFN;CHARSET=UTF-8;ENCODING=QUOTED-PRINTABLE:J=C3=BCrgen=\n=20Veil\nTEL;HOME:12\nEND:VCARD\n"
    )
    assert read(cards.encode(), "a.vcf") == [
        ("Lorne Dunmore", "contact 1"),
        (
            "N: Dunmore, Lorne\nOrg: Mill, Wheel\nTel (cell): +44 17 11\nAdr (home): Mill Lane 4, Sollund, 1069\n"
            "Email: lorne@meadow.example\nNote: Type K, not J\nAlias: Sparks",
            "contact 1",
        ),
        ("Jürgen Veil", "contact 2"),
        ("Tel (home): 12", "contact 2"),
    ]


@pytest.mark.parametrize(
    ("first", "second", "date"),
    [
        ("10/03/2025, 09:12 - Lorne: ", "10/03/2025, 09:13 - Rhona Veil: ", "10/03/2025 09:12"),
        ("[10.03.25, 09:12:33] Lorne: ", "[10.03.25, 09:13:01] Rhona Veil: ", "10.03.25 09:12:33"),
        ("3/10/25, 9:12 AM - Lorne: ", "3/10/25, 9:13\u202fPM - Rhona Veil: ", "3/10/25 9:12 AM"),
    ],
)
def test_a_chat_of_whatsapp_is_read_with_speakers_and_dates(first: str, second: str, date: str) -> None:
    content = f"{first}The kiln needs\na thermocouple.\n{second}Type K?\n".encode()
    found = read(content, "WhatsApp Chat.txt")
    assert found[0] == (f"Lorne, {date}: The kiln needs\na thermocouple.", "message 1")
    assert found[1][0].startswith("Rhona Veil, ")
    assert found[1][0].endswith(": Type K?")
    (chunk,) = chunk_document(extract("chat", content), lambda text: len(text.split()), 256)
    assert chunk.place == "messages 1–2"


def chatgpt(*texts: str) -> list[Any]:
    def message(n: int, text: str) -> dict[str, Any]:
        role = "user" if n % 2 else "assistant"
        return {"author": {"role": role}, "content": {"parts": [text]}, "create_time": 1741597920 + n}

    mapping = {str(n): {"message": message(n, text)} for n, text in reversed(list(enumerate(texts, 1)))}
    return [{"title": "Kiln", "create_time": 1, "mapping": {"0": {"message": None}, **mapping}}]


CHATS: dict[str, Any] = {
    "Slack": [
        {"type": "message", "text": "Type K &amp; no other", "ts": "1741597920.1", "user_profile": {"real_name": "Lorne"}},
        {"user": "U2", "type": "message", "text": "Fine.", "ts": "1741597980"},
    ],
    "ChatGPT": chatgpt("Which thermocouple?", "Type K."),
    "Claude": [
        {
            "name": "Kiln",
            "chat_messages": [
                {"sender": "human", "text": "Which thermocouple?", "created_at": "2025-03-10T09:12:00Z"},
                {"sender": "assistant", "content": [{"type": "text", "text": "Type K."}], "created_at": "2025-03-10T09:13:00Z"},
            ],
        }
    ],
    "Telegram": {
        "name": "Kiln",
        "messages": [{"date": "2025-03-10T09:12:00", "from": "Lorne", "from_id": "u1", "text": ["Type ", {"text": "K"}]}],
    },
    "Messenger": {
        "participants": [{"name": "J\u00c3\u00bcrgen"}],
        "messages": [{"sender_name": "J\u00c3\u00bcrgen", "timestamp_ms": 1741597920123,
            "content": "Gr\u00c3\u00b6\u00c3\u009fe K"}],
        "title": "J\u00c3\u00bcrgen",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("program", "expected"),
    [
        ("Slack", ["Lorne, 2025-03-10 09:12: Type K & no other", "U2, 2025-03-10 09:13: Fine."]),
        ("ChatGPT", ["Kiln", "user, 2025-03-10 09:12: Which thermocouple?", "assistant, 2025-03-10 09:12: Type K."]),
        ("Claude", ["Kiln", "human, 2025-03-10 09:12: Which thermocouple?", "assistant, 2025-03-10 09:13: Type K."]),
        ("Telegram", ["Kiln", "Lorne, 2025-03-10 09:12: Type K"]),
        ("Messenger", ["Jürgen", "Jürgen, 2025-03-10 09:12: Größe K"]),
    ],
)
@pytest.mark.parametrize("indent", [None, 2])
def test_exports_in_json_are_conversations(program: str, expected: list[str], indent: int | None) -> None:
    content = json.dumps(CHATS[program], indent=indent).encode()
    assert format_of(PurePath("conversations.json"), content) == "chat"
    assert [text for text, _ in read(content, "conversations.json")] == expected


@pytest.mark.parametrize(
    "content",
    [
        b'{"messages": [1, 2]}',
        b'[{"type": "message"}]',
        b'{"mapping": {"a": "b"}}',
        b"[]",
        b"10/03/2025 the kiln: hot\n",
    ],
)
def test_other_data_stays_data(content: bytes) -> None:
    assert format_of(PurePath("a.json"), content) == "data"


def test_an_export_that_is_cut_off_says_so() -> None:
    content = json.dumps(CHATS["Claude"]).encode()[:-40]
    with pytest.raises(UnreadableFileError, match="damaged or incomplete export"):
        extract(format_of(PurePath("a.json"), content), content)


def test_a_calendar_is_read_under_its_name() -> None:
    content = CALENDAR.replace("PRODID:x\n", "PRODID:x\nX-WR-CALNAME:Mill\nX-WR-CALDESC:Who is there\n").encode()
    document = extract("calendar", content)
    assert (document.title, document.metadata) == ("Mill", {"description": "Who is there"})


def test_what_whatsapp_says_is_in_no_one_s_message() -> None:
    content = (
        "1/3/25, 09:12 - Messages are encrypted.\n1/3/25, 09:12 - Lorne: The kiln\n1/3/25, 09:13 - Rhona left\n"
        "[01.03.25, 09:14:10] \u200eLorne: Type K\n\u200e[01.03.25, 09:14:10] \u200eYou added Bo\n"
    )
    assert [text for text, _ in read(content.encode(), "WhatsApp Chat.txt")] == [
        "1/3/25, 09:12: Messages are encrypted.",
        "Lorne, 1/3/25 09:12: The kiln",
        "1/3/25, 09:13: Rhona left",
        "Lorne, 01.03.25 09:14:10: Type K",
        "01.03.25, 09:14:10: \u200eYou added Bo",
    ]


SAYING_MORE: dict[str, Any] = {
    "Slack": [
        {
            "type": "message", "user": "U1", "text": "wtext one", "ts": "1741597920.1",
            "reactions": [{"name": "zreaction"}], "files": [{"id": "zfile", "name": "wfile.pdf", "title": "wtitle"}],
            "user_profile": {"real_name": "Lorne", "title": "zrole"},
            "attachments": [{"title": "whead", "text": "wforwarded", "fields": [{"title": "wfield", "value": "wvalue"}]}],
            "blocks": [{"type": "rich_text", "elements": [{"text": "wtext"}]}, {"text": {"type": "mrkdwn", "text": "wblock"}}],
        }
    ],
    "Claude": [
        {
            "name": "wname", "summary": "wsummary",
            "chat_messages": [
                {
                    "sender": "human", "text": "wasked", "files": [{"file_name": "wfile.pdf"}],
                    "attachments": [{"file_name": "wpaste.txt", "extracted_content": "wpasted"}],
                },
                {
                    "sender": "assistant", "text": "",
                    "content": [
                        {"type": "thinking", "thinking": "zthought"}, {"type": "text", "text": "wanswered"},
                        {"type": "tool_use", "name": "zartifacts", "input": {"title": "wmade", "content": "wartifact"}},
                    ],
                },
            ],
        }
    ],
    "Telegram": {
        "name": "wchat",
        "messages": [
            {
                "from": "Lorne", "from_id": "u1", "text": "", "file_name": "wfile.pdf", "forwarded_from": "wother",
                "poll": {"question": "wquestion", "answers": [{"text": "wanswer", "voters": 1}]},
                "contact_information": {"first_name": "wperson"},
            }
        ],
    },
    "ChatGPT": [
        {
            "title": "wtitle",
            "mapping": {
                "1": {"message": {"author": {"role": "user"}, "content": {"parts": ["wsaid", {"asset_pointer": "zpointer"}]},
                    "metadata": {"attachments": [{"name": "zfile.pdf"}]}}},
                "2": {"message": {"author": {"role": "tool"}, "content": {"title": "wpage", "text": "wquote"}}},
            },
        }
    ],
}  # fmt: skip


@pytest.mark.parametrize("program", SAYING_MORE)
def test_all_that_a_message_says_is_read_once(program: str) -> None:
    written = json.dumps(SAYING_MORE[program])
    text = " ".join(text for text, _ in read(written.encode(), "conversations.json"))
    words = re.findall(r"\w+", text)
    assert set(re.findall(r"\bw[a-z]+", written)) <= set(words)
    assert not re.findall(r"\bz[a-z]+", text)
    assert [word for word in words if word.startswith("w") and words.count(word) > 1] == []
