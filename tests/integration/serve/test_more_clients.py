"""What further clients send: prompts, lists of files, rerankers' paths, Ollama's chat, and names as the ecosystem has them."""

from collections.abc import Iterator

import numpy as np
import pytest
from ollama import Client as OllamaClient
from ollama import ResponseError
from openai import BadRequestError, NotFoundError, OpenAI
from openai.types.chat import ChatCompletionUserMessageParam

from tests.integration.serve.conftest import QUESTION
from tests.support.fake_llm import FakeLlm
from tests.support.serve_process import Server, serving


@pytest.fixture
def ollama(server: Server) -> Iterator[OllamaClient]:
    with OllamaClient(server.url, headers={"authorization": f"Bearer {server.token}"}) as client:
        yield client


def test_a_prompt_is_answered_whole_and_as_a_stream(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    whole = openai.completions.create(model="docs", prompt=QUESTION)
    assert whole.choices[0].text.startswith("The gauge shows two bar [1].")
    assert whole.usage
    assert whole.usage.total_tokens > 0
    options = {"include_usage": True}
    chunks = list(openai.completions.create(model="docs", prompt=[QUESTION], stream=True, stream_options=options))  # type: ignore[call-overload]
    assert "".join(each.choices[0].text for each in chunks if each.choices) == whole.choices[0].text
    assert chunks[-1].usage.total_tokens > 0
    with pytest.raises(BadRequestError, match="one after the other"):
        openai.completions.create(model="docs", prompt=["one", "two"])
    with pytest.raises(NotFoundError, match=r"no chat model 'gpt-3\.5-turbo-instruct'"):
        openai.completions.create(model="gpt-3.5-turbo-instruct", prompt="hello")


def test_files_are_listed_page_by_page_and_read(openai: OpenAI) -> None:
    page = openai.vector_stores.files.list("docs", limit=2, order="asc")
    assert len(page.data) == 2
    assert page.has_more
    files = list(page)
    names = sorted(str((each.attributes or {})["filename"]) for each in files)
    assert names == ["boiler.md", "bread.txt", "roses.md"]
    newest_first = [each.id for each in openai.vector_stores.files.list("docs")]
    assert newest_first == [each.id for each in reversed(files)]
    (bread,) = [each for each in files if (each.attributes or {})["filename"] == "bread.txt"]
    assert openai.vector_stores.files.retrieve(bread.id, vector_store_id="docs").usage_bytes == 56
    content = openai.vector_stores.files.content(bread.id, vector_store_id="docs")
    assert [each.text for each in content] == ["Knead the dough, let it rest overnight and bake it hot."]
    with pytest.raises(NotFoundError, match="not in 'letters'"):
        openai.vector_stores.files.retrieve(bread.id, vector_store_id="letters")


def test_all_files_are_listed_over_collections(openai: OpenAI) -> None:
    names = [each.filename for each in openai.files.list(limit=1, order="asc")]
    assert sorted(names) == ["boiler.md", "bread.txt", "lease.md", "roses.md"]
    lease = next(each for each in openai.files.list() if each.filename == "lease.md")
    assert lease.created_at == 1714521600  # its own date, 2024-05-01
    assert "31 March 2026" in openai.files.content(lease.id).text
    with pytest.raises(BadRequestError, match="not the id of a document"):
        openai.files.retrieve("file-abc")


@pytest.mark.parametrize("path", ["/rerank", "/v1/rerank", "/v2/rerank", "/reranking", "/v1/reranking"])
def test_texts_are_ordered_under_every_path(server: Server, path: str) -> None:
    documents = ["bread and dough", {"text": "roses in March"}]
    body = {"model": "hash", "query": "roses", "documents": documents, "top_n": 1, "return_documents": True}
    answer = server.post(path, body).json()
    assert [(each["index"], each["document"]) for each in answer["results"]] == [(1, {"text": "roses in March"})]
    assert answer["usage"]["total_tokens"] == answer["meta"]["tokens"]["input_tokens"] == 7
    assert "document" not in server.post(path, {**body, "return_documents": False}).json()["results"][0]
    refused = server.post(path, {**body, "documents": None})
    assert (refused.status_code, "Send the texts to order" in refused.text) == (400, True)


def test_a_reranker_of_text_embeddings_inference_is_a_bare_list(server: Server) -> None:
    body = {"query": "roses", "texts": ["bread and dough", "roses in March"], "return_text": True}
    ranked = server.post("/rerank", body).json()
    assert [(each["index"], each["text"]) for each in ranked] == [(1, "roses in March"), (0, "bread and dough")]
    assert server.post("/v2/rerank", {**body, "model": "rerank-v3.5"}).json()["message"].startswith("No model named")


def test_one_empty_text_does_not_spoil_the_others(openai: OpenAI) -> None:
    found = openai.embeddings.create(model="hash", input=["boiler", "", " "]).data
    assert len(found) == 3
    assert np.linalg.norm(found[0].embedding) == pytest.approx(1)
    with pytest.raises(BadRequestError, match="The input is empty"):
        openai.embeddings.create(model="hash", input=["", " "])


def test_names_of_models_are_taken_as_clients_write_them(server: Server, openai: OpenAI, llm: FakeLlm) -> None:
    for name in ("hash", "HASH", "hash:latest", "Hash:Query", "hash:document"):
        assert len(openai.embeddings.create(model=name, input="boiler").data) == 1
        assert (openai.models.retrieve(name).model_extra or {})["kind"] == "embedding"
    llm.answers("The gauge shows two bar [1].")
    message = {"role": "user", "content": QUESTION}
    for name in ("Docs", "docs:latest", "searchkit/docs", "SEARCHKIT"):
        answer = openai.chat.completions.create(model=name, messages=[message])  # type: ignore[list-item]
        assert answer.model == name
    with pytest.raises(BadRequestError, match="embeds texts, and does not chat"):
        openai.chat.completions.create(model="hash", messages=[message])  # type: ignore[list-item]


def test_aliases_stand_for_models_and_collections(server: Server, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    aliases = {"text-embedding-3-small": "hash", "gpt-4o": "docs"}
    home = server.home
    with serving(home, llm=llm.base, aliases=aliases) as running:
        body = {"model": "text-embedding-3-small", "input": "boiler"}
        assert running.post("/v1/embeddings", body).json()["data"]
        assert running.post("/api/embed", body).json()["embeddings"]
        message = {"role": "user", "content": QUESTION}
        answer = running.post("/v1/chat/completions", {"model": "GPT-4o", "messages": [message]}).json()
        assert answer["choices"][0]["message"]["content"].startswith("The gauge shows two bar [1].")
        assert running.get("/v1/models/gpt-4o").json()["kind"] == "chat"
        assert "gpt-4o" not in running.get("/v1/models").text


def test_ollama_chats_with_a_collection(ollama: OllamaClient, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    message = {"role": "user", "content": QUESTION}
    answer = ollama.chat("docs", [message])
    text = answer.message.content or ""
    assert text.startswith("The gauge shows two bar [1].")
    assert "Sources:\n[1] " in text
    assert answer.done
    assert answer.done_reason == "stop"
    assert answer.eval_count
    parts = list(ollama.chat("docs", [message], stream=True))
    assert "".join(part.message.content or "" for part in parts) == text
    assert [part.done for part in parts] == [False] * (len(parts) - 1) + [True]
    with pytest.raises(ResponseError, match="no chat model 'llama3'") as refused:
        ollama.chat("llama3", [message])
    assert refused.value.status_code == 404
    with pytest.raises(ResponseError, match="only text is accepted"):
        ollama.chat("docs", [{**message, "images": [b"png"]}])


def test_ollama_generates_from_a_prompt(ollama: OllamaClient, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    answer = ollama.generate("docs:latest", QUESTION)
    assert (answer.response or "").startswith("The gauge shows two bar [1].")
    parts = list(ollama.generate("docs", QUESTION, stream=True))
    assert "".join(part.response or "" for part in parts) == answer.response
    assert ollama.generate("docs").done_reason == "load"
    assert ollama.chat("docs").done_reason == "load"


def test_ollama_is_shown_what_a_collection_and_a_model_can(ollama: OllamaClient) -> None:
    assert ollama.show("docs").capabilities == ["completion"]
    shown = ollama.show("hash:query")
    assert shown.capabilities == ["embedding"]
    assert (shown.modelinfo or {})["searchkit.embedding_length"] == 64
    assert [model.model for model in ollama.ps().models] == ["hash"]
    with pytest.raises(ResponseError, match="no chat model 'llama3'"):
        ollama.show("llama3")


def test_every_source_is_an_annotation_with_an_address_of_its_own(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("The lease ends on 31 March 2026 [1].")
    message: ChatCompletionUserMessageParam = {"role": "user", "content": "roses March lease ends"}
    whole = openai.chat.completions.create(model="searchkit", messages=[message])
    annotations = whole.choices[0].message.annotations or []
    sources = (whole.model_extra or {})["searchkit"]["sources"]
    urls = [each.url_citation.url for each in annotations]
    assert len(urls) == len(set(urls)) == len(sources) > 1
    assert all(source["path"].rpartition("/")[2] in url for source, url in zip(sources, urls, strict=True))
    text = whole.choices[0].message.content or ""
    first, second = annotations[0].url_citation, annotations[1].url_citation
    assert text[first.start_index : first.end_index] == "[1]"
    assert (second.start_index, second.end_index) == (0, 0)
    chunks = openai.chat.completions.create(model="searchkit", messages=[message], stream=True)
    last = [chunk.choices[0].delta for chunk in chunks if chunk.choices][-1]
    streamed = (last.model_extra or {})["annotations"]
    assert [each["url_citation"]["url"] for each in streamed] == urls
