"""OpenAI's Responses API with its own client: answers, events, conversations that go on, and what is refused."""

import json

import pytest
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.responses import ResponseOutputMessage, ResponseOutputText

from searchkit.serve.dialects.chat.responses import ResponseAnswer, ResponseStore, StoredResponse
from searchkit.serve.http.error_responses import ErrorResponse
from tests.integration.serve.conftest import QUESTION
from tests.support.fake_llm import FakeLlm, Script
from tests.support.serve_process import Server

_EVENTS = [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    "response.output_text.delta",
    "response.output_text.annotation.added",
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
]


def _text(response: object) -> ResponseOutputText:
    message = response.output[0]  # type: ignore[attr-defined]
    assert isinstance(message, ResponseOutputMessage)
    part = message.content[0]
    assert isinstance(part, ResponseOutputText)
    return part


def test_a_question_is_answered_with_its_sources_as_annotations(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    response = openai.responses.create(model="docs", input=QUESTION, instructions="Be brief.", temperature=0.2)
    assert response.output_text.startswith("The gauge shows two bar [1].")
    assert (response.status, response.model, response.instructions) == ("completed", "docs", "Be brief.")
    assert response.usage
    assert response.usage.total_tokens == response.usage.input_tokens + response.usage.output_tokens > 0
    part = _text(response)
    addresses = [each for each in part.annotations if each.type == "url_citation"]
    files = [each for each in part.annotations if each.type == "file_citation"]
    assert addresses[0].url.endswith("/boiler.md#L5")
    assert part.text[addresses[0].start_index : addresses[0].end_index] == "[1]"
    assert [(each.filename, each.index) for each in files] == [("boiler.md", addresses[0].start_index)]
    assert openai.files.retrieve(files[0].file_id).filename == "boiler.md"


def test_a_stream_has_the_events_that_the_client_expects_in_their_order(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    events = list(openai.responses.create(model="docs", input=QUESTION, stream=True))
    kinds = [event.type for event in events]
    assert list(dict.fromkeys(kinds)) == _EVENTS
    assert [event.sequence_number for event in events] == list(range(len(events)))
    llm.answers("The gauge shows two bar [1].")
    with openai.responses.stream(model="docs", input=QUESTION) as stream:
        deltas = "".join(event.delta for event in stream if event.type == "response.output_text.delta")
        whole = stream.get_final_response()
    assert deltas == whole.output_text
    assert _text(whole).annotations


def test_a_response_goes_on_from_the_one_before_and_is_forgotten_when_that_is_asked(
    openai: OpenAI, llm: FakeLlm
) -> None:
    llm.answers("The gauge shows two bar [1].", "until what does the gauge of the boiler show water?", "Two bar [1].")
    first = openai.responses.create(model="docs", input=QUESTION)
    before = len(llm.asked)
    second = openai.responses.create(
        model="docs", input="and until what does the gauge show it?", previous_response_id=first.id
    )
    assert "assistant: The gauge shows two bar." in llm.prompt(before)
    assert second.output_text.startswith("Two bar [1].")
    assert second.previous_response_id == first.id
    assert openai.responses.retrieve(second.id).output_text == second.output_text
    openai.responses.delete(second.id)
    with pytest.raises(NotFoundError, match="no response"):
        openai.responses.retrieve(second.id)
    with pytest.raises(BadRequestError, match="is not remembered"):
        openai.responses.create(model="docs", input="and?", previous_response_id=second.id)


def test_what_is_not_to_be_stored_is_not(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    response = openai.responses.create(model="docs", input=QUESTION, store=False)
    with pytest.raises(NotFoundError):
        openai.responses.retrieve(response.id)


def test_a_conversation_may_come_as_items(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("until what does the gauge of the boiler show water?", "Two bar [1].")
    before = len(llm.asked)
    response = openai.responses.create(
        model="DOCS",
        input=[
            {"role": "developer", "content": "You are a pirate."},
            {"role": "user", "content": [{"type": "input_text", "text": "what is said of the boiler"}]},
            {
                "type": "message",
                "role": "assistant",
                "id": "msg_1",
                "status": "completed",
                "content": [{"type": "output_text", "text": "It needs water [1].", "annotations": []}],
            },
            {"type": "function_call_output", "call_id": "c", "output": "ignored"},
            {"role": "user", "content": "and until what does the gauge show it?"},
        ],
    )
    assert response.output_text.startswith("Two bar [1].")
    assert "It needs water." in llm.prompt(before)


def test_what_cannot_be_answered_is_refused_with_the_reason(openai: OpenAI, server: Server) -> None:
    with pytest.raises(NotFoundError, match="no chat model 'gpt-5'"):
        openai.responses.create(model="gpt-5", input="hello")
    picture = {"type": "input_image", "image_url": "https://example.com/a.png", "detail": "auto"}
    with pytest.raises(BadRequestError, match="contains input_image; only text"):
        openai.responses.create(model="docs", input=[{"role": "user", "content": [picture]}])  # type: ignore[list-item, misc]
    with pytest.raises(BadRequestError, match="background is not offered"):
        openai.responses.create(model="docs", input="hello", background=True)
    assert server.post("/v1/responses", {"model": "docs", "input": []}).status_code == 400


def test_an_answer_that_was_cut_at_the_token_limit_is_incomplete(openai: OpenAI, llm: FakeLlm) -> None:
    llm.scripts = [Script(["The gauge shows two bar [1]. ", "And then", " it"], finish="length")]
    response = openai.responses.create(model="docs", input=QUESTION)
    assert response.status == "incomplete"
    assert response.incomplete_details
    assert response.incomplete_details.reason == "max_output_tokens"
    kinds = [event.type for event in openai.responses.create(model="docs", input=QUESTION, stream=True)]
    assert kinds[-1] == "response.incomplete"


def test_a_stream_that_fails_says_so_in_its_last_event() -> None:
    shape = ResponseAnswer({"model": "docs"}, [("user", "when?")], None)
    shape.begin()
    (event,) = shape.broken(ErrorResponse(502, "language_model_failed", "Out of memory."))
    kind, data = event.decode().split("\n")[:2]
    failed = json.loads(data.removeprefix("data: "))
    assert kind == "event: response.failed"
    assert (failed["sequence_number"], failed["response"]["status"]) == (4, "failed")
    assert failed["response"]["error"] == {"code": "server_error", "message": "Out of memory."}


def test_the_store_keeps_the_responses_that_were_used_last() -> None:
    store = ResponseStore(most=2)
    for name in ("a", "b"):
        store.keep(StoredResponse({"id": name}, ()))
    assert store.get("a")
    store.keep(StoredResponse({"id": "c"}, ()))
    assert [name for name in "abc" if store.get(name)] == ["a", "c"]
    assert store.forget("a")
    assert not store.forget("a")
