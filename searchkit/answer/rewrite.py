"""Makes a question of a conversation stand alone, so that it can be searched for: "and the deposit?" says nothing by itself."""

import re
from collections.abc import Sequence

from searchkit.answer.context import Window, recent
from searchkit.answer.grounding.plain_text import plain_text
from searchkit.answer.models.language_model import LanguageModel, Message
from searchkit.answer.prompt import as_data
from searchkit.search.lexical.inflections import STOP_WORDS

_TASK = """\
Rewrite the user's last question so that it can be understood without the conversation: put names in place of words such as \
it, they, there. Keep its language and its meaning. Do not answer it. Write the question alone, on one line."""
_LABEL = re.compile(r"^[\s*_#>]*(?:[\w -]{0,30}question[\w -]{0,20}|[\w -]{0,20}frage)\s*:\s*", re.IGNORECASE)
_THOUGHT = re.compile(r"<think>.*?(?:</think>|\Z)", re.DOTALL)
_TURNS, _ANSWER_CHARACTERS = 6, 600
_REPLY_TOKENS = 96
_WORD = re.compile(r"\w+")
_SEVERAL = re.compile(r"(?:\w{4,}\.|[!?…])[\"'”’)\]]*\s+\S|[\u3002\uff01\uff1f]\s*\S")  # Dr. and Nr. end no sentence
_ASKING = ("?", "\uff1f", "\u061f")


def standalone_question(model: LanguageModel, window: Window, question: str, history: Sequence[Message]) -> str:
    """The question, rewritten by the model; the question itself where there is no history, or the result is absurd.

    Raises LlmError if the model does not answer.
    """
    if not history:
        return question
    shortened = [Message(turn.role, turn.content[:_ANSWER_CHARACTERS]) for turn in history[-_TURNS:]]
    told = "\n".join(f"{turn.role}: {as_data(turn.content)}" for turn in recent(shortened, window))
    asked = f"Conversation:\n{told}\n\nLast question: {question}\n\nThe question, rewritten to stand alone:"
    reply = model.reply([Message("system", _TASK), Message("user", asked)], _REPLY_TOKENS)
    try:
        written = _cleaned("".join(reply))
    finally:
        reply.stop()
    return written if is_sane(written, question, [turn.content for turn in shortened]) else question


def is_sane(written: str, question: str, said: Sequence[str]) -> bool:
    """Whether a rewritten question is one: a single sentence, short, about what was asked, with no word that nobody has said.

    Of the content words of the question half must be kept, and of its own three quarters must have been said before; names
    and numbers all of them.
    """
    if not written or len(written) > 200 + 2 * len(question) or "\n" in written:
        return False
    if _SEVERAL.search(written) or (question.rstrip().endswith(_ASKING) and not written.endswith(_ASKING)):
        return False  # an answer
    known = _stems(question) | _stems(" ".join(said))
    own, asked = _stems(written), _stems(question)
    if not own or any(any(c.isdigit() for c in word) and word not in known for word in own):
        return False
    is_about_it = len(own & asked) >= len(asked) / 2
    return is_about_it and len(own & known) >= 0.75 * len(own)


def _cleaned(written: str) -> str:
    """The first line with anything on it, without a label, quotes, or what a query would take for more than words."""
    lines = [line.strip() for line in plain_text(_THOUGHT.sub("", written)).splitlines()]
    first = _LABEL.sub("", next((line for line in lines if line), ""))
    first = re.sub(r"[\"“”„«»]", "", first).strip(" *_'`")
    return re.sub(r"(?<!\w)-(?=\w)|\b(type|path|folder|since|until):(?=\S)", r"\1 ", first).strip()


def _stems(text: str) -> set[str]:
    """The beginnings of the content words, so that forms of a word are one."""
    words = {word.casefold() for word in _WORD.findall(text)}
    return {word[:5] for word in words - STOP_WORDS}
