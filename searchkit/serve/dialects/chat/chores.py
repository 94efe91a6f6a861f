"""What chat programs ask a model for their own ends: titles, tags, follow-up questions, search queries. No question about files.

The language model does it as it is asked. Without one there is the least that the program can use, in the form that it asks for.
"""

import json
import re

CHORE_TOKENS = 400  # of a reply: titles and lists are short
_TITLE_WORDS = 5
# Open WebUI begins each of its own with this; the others ask in one sentence for what they want.
_TASK = re.compile(r"\s*#{2,3} Task:")
_CHAT = r"\b(?:chat|conversation|dialogue?|messages?|transcript|history)\b"
_ASKED = re.compile(
    r"\b(?:generate|create|write|provide|suggest|come up with|summari[sz]e)\b[^.\n]{0,80}?"
    rf"\b(?:titles?|tags?|emojis?|follow[- ]?up questions?|search quer(?:y|ies)|keywords)\b[^.\n]{{0,80}}?{_CHAT}"
    r"|\b(?:titles?|tags?)\b[^.\n]{0,40}\b(?:for|of) (?:this|the|our) (?:chat|conversation|dialogue?)\b[^?]*$"
    r"|\bconcise,? \d+-(?:to-\d+-)?word",
    re.IGNORECASE,
)
_FORMS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(rf'"{key}"\s*:'), key) for key in ("follow_ups", "queries", "tags", "title", "text")
)
_HISTORY = re.compile(r"<chat_history>\s*(.*?)\s*</chat_history>", re.DOTALL)
_SAID = re.compile(r"^\s*(?:#+\s*)?(?:user|human|me)\s*:\s*(.+)$", re.IGNORECASE | re.MULTILINE)


def is_chore(message: str) -> bool:
    """True if a message is a chat program's own."""
    return bool(_TASK.match(message)) or (len(message) > 80 and bool(_ASKED.search(message)))


def without_model(message: str) -> str:
    """What can be said without a language model, in the form that is asked for."""
    said = _last_said(message)
    form = next((key for pattern, key in _FORMS if pattern.search(message)), "")
    found: dict[str, object] = {
        "follow_ups": [],
        "queries": [said] if said else [],
        "tags": ["General"],
        "title": _title(said),
        "text": "",
    }
    return json.dumps({form: found[form]}, ensure_ascii=False) if form else _title(said)


def _last_said(message: str) -> str:
    history = _HISTORY.search(message)
    said = _SAID.findall(history.group(1) if history else message)
    return " ".join(said[-1].split()) if said else ""


def _title(said: str) -> str:
    return " ".join(said.split()[:_TITLE_WORDS]).rstrip("?!.,;:") or "New chat"
