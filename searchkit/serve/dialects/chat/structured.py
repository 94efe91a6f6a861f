"""Answers in a form that the client names (`response_format`): JSON, for which the language model's own server sees to the form.

Sentences cannot be checked there, so the text has no citations; the sources are beside it.
"""

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from searchkit.answer.context import Context, pack
from searchkit.answer.conversation import Conversation, standalone_question
from searchkit.answer.models.language_model import Message
from searchkit.answer.models.server_model import FormRefusedError, HttpLanguageModel
from searchkit.answer.plain_text import ReasoningStripper, plain_text
from searchkit.answer.prompt import without_marks
from searchkit.answer.retrieve import find_sources
from searchkit.display import on_one_line
from searchkit.errors import LlmError, UsageError
from searchkit.library import Library

Form = Mapping[str, Any]
_IN_JSON = "\n\nWrite the answer as JSON in the form that is demanded, without the numbers of sources."
_LEAVE_OUT = "Leave out response_format"
_PLAIN = "text"
_FENCED = re.compile(r"\s*```\w*\n(.*)```\s*", re.DOTALL)


def form_of(response_format: Mapping[str, Any] | None) -> Form | None:
    """Return the form that a request demands in OpenAI's chat shape, None for plain text. Raises UsageError for another kind.

    The Responses API has a schema's fields beside its type, a chat below `json_schema`.
    """
    kind = (response_format or {}).get("type", _PLAIN)
    if response_format is None or kind == _PLAIN:
        return None
    if kind == "json_object":
        return {"type": "json_object"}
    given = response_format.get("json_schema", response_format)
    if kind == "json_schema" and isinstance(given, Mapping) and isinstance(given.get("schema"), Mapping):
        known = {key: given[key] for key in ("schema", "strict", "description") if given.get(key) is not None}
        return {"type": "json_schema", "json_schema": {"name": str(given.get("name") or "answer"), **known}}
    raise UsageError(
        f"There is no response_format '{on_one_line(str(kind))[:40]}' of this shape.",
        remedy="Use text, json_object, or json_schema with a schema.",
    )


def answer_in_form(
    library: Library, conversation: Conversation, question: str, form: Form, is_stopped: Callable[[], bool]
) -> tuple[str, Context]:
    """Have the model write the answer from what is found, and return it as JSON whose texts are safe to show.

    Raises UsageError if nothing is found, or there is no model whose server takes a form; LlmError if it is not kept.
    """
    answerer = conversation.answerer
    model = answerer.model
    if not isinstance(model, HttpLanguageModel):
        what = "the embedded model" if model else "answers by quotation, without a language model,"
        raise UsageError(
            f"A response_format needs a language model's server; {what} cannot keep it.", remedy=f"{_LEAVE_OUT}."
        )
    window, history = answerer.window, conversation.history
    conversation.searched_for = standalone_question(model, window, question, history)
    hits = find_sources(library, replace(conversation.sources, query=conversation.searched_for))
    if not hits:
        raise UsageError("Nothing that is indexed is clearly about that, so there is nothing to put into that form.")
    context = pack(question, hits, window, history)
    *before, last = context.messages
    messages = [*before, replace(last, content=last.content + _IN_JSON)]
    try:
        return _safe(_written(model, messages, context.reply_tokens, form, is_stopped), model.name), context
    except FormRefusedError as error:
        raise UsageError(str(error), remedy=f"{_LEAVE_OUT}.") from error


def _written(
    model: HttpLanguageModel, messages: list[Message], max_tokens: int, form: Form, is_stopped: Callable[[], bool]
) -> str:
    reasoning = ReasoningStripper()
    reply = model.reply_in_form(messages, max_tokens, form)
    pieces = []
    try:
        for piece in reply:
            if is_stopped():
                break
            pieces.append(reasoning.without(piece))
    finally:
        reply.stop()
    return "".join([*pieces, reasoning.rest()])


def _safe(written: str, name: str) -> str:
    try:
        fenced = _FENCED.fullmatch(written)
        value = json.loads(fenced[1] if fenced else written)
    except (ValueError, RecursionError) as error:
        raise LlmError(
            f"{name} did not write the JSON that was demanded.",
            remedy="Ask for less at once, or check that its server keeps a response_format.",
        ) from error
    return json.dumps(_plain(value), ensure_ascii=False)


def _plain(value: Any) -> Any:
    """Return the value with texts and names that neither steer nor fetch anything."""
    if isinstance(value, str):
        return plain_text(without_marks(value))
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, dict):
        return {plain_text(key): _plain(each) for key, each in value.items()}
    return value
