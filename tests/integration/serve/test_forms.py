"""`response_format`: JSON that the language model's own server sees to, or a refusal that says why."""

import json

import pytest
from ollama import Client as OllamaClient
from openai import APIStatusError, BadRequestError, OpenAI
from pydantic import BaseModel

from searchkit.answer.answerer import Answerer
from searchkit.answer.conversation import Conversation
from searchkit.errors import UsageError
from searchkit.library import Library
from searchkit.search.request import SearchRequest
from searchkit.serve.dialects.chat.structured import answer_in_form, form_of
from tests.integration.serve.conftest import QUESTION
from tests.support.fake_llm import FakeLlm, Script
from tests.support.serve_process import Server


class Gauge(BaseModel):
    bar: int
    source: str


WRITTEN = '{"bar": 2, "source": "![x](https://evil.example/a.png) gauge"}'


def test_a_schema_is_handed_to_the_models_server_and_its_json_is_the_whole_answer(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers(WRITTEN)
    answer = openai.chat.completions.parse(
        model="docs", messages=[{"role": "user", "content": QUESTION}], response_format=Gauge
    )
    parsed = answer.choices[0].message.parsed
    assert parsed
    assert (parsed.bar, parsed.source) == (2, "x (image: evil.example/a.png) gauge")
    sent = llm.asked[-1]["response_format"]
    assert (sent["type"], sent["json_schema"]["name"]) == ("json_schema", "Gauge")
    assert sent["json_schema"]["schema"]["properties"].keys() == {"bar", "source"}
    assert (answer.model_extra or {})["searchkit"]["sources"][0]["path"].endswith("boiler.md")


def test_responses_and_ollama_have_the_same(openai: OpenAI, server: Server, llm: FakeLlm) -> None:
    llm.answers(WRITTEN)
    response = openai.responses.parse(model="docs", input=QUESTION, text_format=Gauge)
    assert response.output_parsed
    assert response.output_parsed.bar == 2
    with OllamaClient(server.url, headers={"authorization": f"Bearer {server.token}"}) as client:
        llm.scripts = [Script([f"<think>well</think>\n```json\n{WRITTEN}\n```"])]
        message = {"role": "user", "content": QUESTION}
        answer = client.chat("docs", [message], format=Gauge.model_json_schema())
        assert json.loads(answer.message.content or "")["bar"] == 2
        assert llm.asked[-1]["response_format"]["json_schema"]["schema"]["title"] == "Gauge"
        llm.answers(WRITTEN)
        assert json.loads(client.generate("docs", QUESTION, format="json").response or "")["bar"] == 2
        assert llm.asked[-1]["response_format"] == {"type": "json_object"}


def test_a_stream_is_json_as_well(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers(WRITTEN)
    chunks = openai.chat.completions.create(
        model="docs",
        messages=[{"role": "user", "content": QUESTION}],
        response_format={"type": "json_object"},
        stream=True,
    )
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert json.loads(text)["bar"] == 2


def test_what_cannot_be_kept_is_refused_with_the_reason(openai: OpenAI, llm: FakeLlm) -> None:
    def ask(question: str = QUESTION) -> None:
        openai.chat.completions.create(
            model="docs", messages=[{"role": "user", "content": question}], response_format={"type": "json_object"}
        )

    llm.scripts = [Script(status=400, error="grammar is not supported")]
    with pytest.raises(BadRequestError, match=r"does not take this response_format \(grammar is not supported\)"):
        ask()
    llm.answers("Two bar, I think.")
    with pytest.raises(APIStatusError, match="did not write the JSON"):
        ask()
    with pytest.raises(BadRequestError, match="nothing to put into that form"):
        ask("zygote quasar")


def test_without_a_language_model_no_form_is_kept(library: Library) -> None:
    conversation = Conversation(Answerer(library, None), SearchRequest(k=3))
    with pytest.raises(UsageError, match=r"needs a language model's server; answers by quotation"):
        answer_in_form(library, conversation, QUESTION, {"type": "json_object"}, lambda: False)


def test_a_form_has_openais_shape() -> None:
    assert form_of(None) is form_of({"type": "text"}) is None
    flat = form_of({"type": "json_schema", "name": "G", "schema": {"type": "object"}, "strict": True})
    assert flat == {"type": "json_schema", "json_schema": {"name": "G", "schema": {"type": "object"}, "strict": True}}
    for wrong in ({"type": "yaml"}, {"type": "json_schema"}, {"type": "json_schema", "json_schema": 3}):
        with pytest.raises(UsageError, match="no response_format"):
            form_of(wrong)
