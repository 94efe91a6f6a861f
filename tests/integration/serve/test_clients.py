"""Real clients, unmodified, against a server: the openai and ollama packages, and what Open WebUI and Dify send."""

import numpy as np
import pytest
from ollama import Client as OllamaClient
from ollama import ResponseError
from openai import APIError, AuthenticationError, BadRequestError, NotFoundError, OpenAI

from tests.integration.serve.conftest import QUESTION
from tests.support.fake_llm import FakeLlm, Script
from tests.support.hash_embedder import HashEmbedder
from tests.support.serve_process import Server


def test_openai_lists_embedding_models_and_collections_as_chat_models(openai: OpenAI) -> None:
    ids = [model.id for model in openai.models.list()]
    assert ids == ["searchkit", "docs", "letters", "hash"]
    assert openai.models.retrieve("docs").owned_by == "searchkit"
    with pytest.raises(NotFoundError, match="no model 'nope'"):
        openai.models.retrieve("nope")


def test_openai_gets_the_same_vectors_in_base64_its_default_and_as_numbers(openai: OpenAI) -> None:
    texts = ["boiler pressure", "roses in March"]
    default = openai.embeddings.create(model="hash", input=texts)
    plain = openai.embeddings.create(model="hash", input=texts, encoding_format="float")
    assert [entry.embedding for entry in default.data] == [pytest.approx(entry.embedding) for entry in plain.data]
    assert np.linalg.norm(default.data[0].embedding) == pytest.approx(1)
    expected = HashEmbedder().embed_queries(texts)
    assert np.array([entry.embedding for entry in plain.data]) == pytest.approx(expected, abs=1e-6)
    assert default.usage.prompt_tokens == 5


def test_openai_gets_a_prefix_that_is_normalised_again(openai: OpenAI) -> None:
    whole = np.array(openai.embeddings.create(model="hash:query", input="boiler").data[0].embedding)
    part = np.array(openai.embeddings.create(model="hash:query", input="boiler", dimensions=16).data[0].embedding)
    assert part == pytest.approx(whole[:16] / np.linalg.norm(whole[:16]), abs=1e-6)
    with pytest.raises(BadRequestError, match="cannot give 65 dimensions"):
        openai.embeddings.create(model="hash", input="boiler", dimensions=65)


def test_openai_is_told_what_cannot_be_embedded(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="No model named 'gpt'"):
        openai.embeddings.create(model="gpt", input="boiler")
    with pytest.raises(BadRequestError, match="empty"):
        openai.embeddings.create(model="hash", input=[""])
    with pytest.raises(BadRequestError, match="takes text, not tokens"):
        openai.embeddings.create(model="hash", input=[1, 2, 3])
    with pytest.raises(BadRequestError, match="no input_type 'poem'"):
        openai.embeddings.create(model="hash", input="boiler", extra_body={"input_type": "poem"})
    with pytest.raises(BadRequestError, match=r"input: The input is empty\. Send a text"):
        openai.embeddings.create(model="hash", input=[])
    with pytest.raises(BadRequestError, match=r"input: Send a text \(up to 2,000,000 characters\)"):
        openai.embeddings.create(model="hash", input={"text": "boiler"})  # type: ignore[arg-type]


def test_fields_that_are_null_are_as_if_they_had_been_left_out(server: Server, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    nothing: dict[str, None] = dict.fromkeys(("encoding_format", "input_type", "dimensions"))
    embedded = server.post("/v1/embeddings", {"model": "hash", "input": "boiler", **nothing})
    assert len(embedded.json()["data"][0]["embedding"]) == 64
    message = {"role": "user", "content": QUESTION}
    chat = {
        "model": "docs",
        "messages": [message],
        "stream": None,
        "stream_options": {"include_usage": None},
        "n": None,
    }
    assert server.post("/v1/chat/completions", chat).json()["object"] == "chat.completion"
    assert server.post("/v1/chat/completions", {**chat, "n": 0}).status_code == 400
    retrieval = {"knowledge_id": "docs", "query": "prune the roses", "retrieval_setting": None}
    assert server.post("/retrieval", retrieval).json()["records"]


def test_a_body_that_cannot_be_decoded_is_refused_with_what_it_must_be(server: Server) -> None:
    with server.client(**{"content-type": "application/json"}) as client:
        assert "The body must be JSON" in client.post("/search", content=b"\xff\xfe").text


def test_openai_searches_a_collection_as_a_vector_store(openai: OpenAI) -> None:
    assert [store.name for store in openai.vector_stores.list()] == ["docs", "letters"]
    assert openai.vector_stores.retrieve("docs").file_counts.completed == 3
    page = openai.vector_stores.search("docs", query="prune the roses", max_num_results=2)
    best = page.data[0]
    assert best.filename == "roses.md"
    assert best.content[0].text == "Prune the roses in March, above an outward bud."
    assert 0.5 < best.score <= 1
    assert best.attributes
    assert best.attributes["collection"] == "docs"
    with pytest.raises(NotFoundError, match="No collection named 'nope'"):
        openai.vector_stores.search("nope", query="roses")


def test_openai_filters_what_it_searches(openai: OpenAI) -> None:
    def names(filters: object, query: str = "water dough roses") -> set[str]:
        found = openai.vector_stores.search("docs", query=query, filters=filters)  # type: ignore[arg-type]
        return {result.filename for result in found}

    assert names({"type": "eq", "key": "type", "value": "txt"}) == {"bread.txt"}
    assert names({"type": "ne", "key": "type", "value": "txt"}) == {"boiler.md", "roses.md"}
    either = [{"type": "eq", "key": "filename", "value": name} for name in ("roses.md", "bread.txt")]
    assert names({"type": "or", "filters": either}) == {"roses.md", "bread.txt"}
    assert names({"type": "and", "filters": either}) == set()
    assert names({"type": "in", "key": "heading", "value": ["Roses"]}) == {"roses.md"}
    assert names({"type": "gte", "key": "date", "value": "2099-01-01"}) == set()
    with pytest.raises(BadRequestError, match="no attribute 'colour'"):
        names({"type": "eq", "key": "colour", "value": "red"})


def test_openai_asks_several_questions_and_leaves_out_what_scores_low(openai: OpenAI) -> None:
    page = openai.vector_stores.search("docs", query=["roses", "dough"], ranking_options={"score_threshold": 0.5})
    assert {result.filename for result in page} == {"roses.md", "bread.txt"}


def test_openai_chats_with_a_collection_and_gets_citations(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("The gauge shows two bar [1].")
    answer = openai.chat.completions.create(model="docs", messages=[{"role": "user", "content": QUESTION}])
    text = answer.choices[0].message.content or ""
    assert text.startswith("The gauge shows two bar [1].")
    assert "Sources:\n[1] " in text
    assert "boiler.md" in text
    assert answer.choices[0].finish_reason == "stop"
    assert answer.usage
    assert answer.usage.prompt_tokens > answer.usage.completion_tokens > 0
    extra = answer.model_extra or {}
    assert extra["searchkit"]["sources"][0]["cited"] is True
    [annotation] = answer.choices[0].message.annotations or []
    assert annotation.url_citation.url.startswith("file:///")
    assert "<<SOURCE" in llm.prompt()


def test_openai_streams_a_chat_with_all_collections_and_its_usage(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("The lease ends on 31 March 2026 [1].")
    stream = openai.chat.completions.create(
        model="searchkit",
        messages=[{"role": "user", "content": "when does the lease end in March 2026"}],
        stream=True,
        stream_options={"include_usage": True},
    )
    chunks = list(stream)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text.startswith("The lease ends on 31 March 2026 [1].")
    assert "lease.md" in text
    assert len(chunks) > 4
    assert [chunk.choices[0].finish_reason for chunk in chunks if chunk.choices][-1] == "stop"
    assert chunks[-1].usage
    assert chunks[-1].usage.total_tokens > 0
    assert len({chunk.id for chunk in chunks}) == 1


def test_a_conversation_is_understood_from_its_history(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers("until what does the gauge of the boiler show water?", "Two bar [1].")
    before = len(llm.asked)
    answer = openai.chat.completions.create(
        model="docs",
        messages=[
            {"role": "system", "content": "You are a pirate."},
            {"role": "user", "content": "what is said of the boiler"},
            {"role": "assistant", "content": "It needs water [1].\n\nSources:\n[1] boiler.md"},
            {"role": "user", "content": "and until what does the gauge show it?"},
        ],
    )
    extra = answer.model_extra or {}
    assert extra["searchkit"]["searched_for"] == "until what does the gauge of the boiler show water?"
    rewriting, answering = (llm.prompt(number) for number in (before, before + 1))
    assert "It needs water." in rewriting
    assert "Sources:" not in rewriting
    assert "pirate" not in answering


def test_where_nothing_is_relevant_no_model_is_asked(openai: OpenAI, llm: FakeLlm) -> None:
    before = len(llm.asked)
    answer = openai.chat.completions.create(model="docs", messages=[{"role": "user", "content": "zygote quasar"}])
    assert "Nothing that is indexed is clearly about that" in (answer.choices[0].message.content or "")
    assert (answer.model_extra or {})["searchkit"]["ending"] == "not_found"
    assert len(llm.asked) == before


def test_chores_of_chat_programs_are_handed_to_the_model_as_they_are(openai: OpenAI, llm: FakeLlm) -> None:
    llm.answers('{"title": "The boiler"}')
    task = '### Task:\nGenerate a title for the chat.\nJSON format: { "title": "…" }\nUSER: what is a zygote quasar'
    answer = openai.chat.completions.create(model="docs", messages=[{"role": "user", "content": task}])
    assert answer.choices[0].message.content == '{"title": "The boiler"}'
    assert llm.asked[-1]["messages"] == [{"role": "user", "content": task}]


def test_a_language_model_that_fails_is_an_error_with_its_reason(openai: OpenAI, llm: FakeLlm) -> None:
    llm.scripts = [Script(status=500, error="out of memory")]
    with pytest.raises(APIError, match="out of memory"):
        openai.chat.completions.create(model="docs", messages=[{"role": "user", "content": QUESTION}])
    with pytest.raises(APIError, match="out of memory"):
        openai.chat.completions.create(model="docs", messages=[{"role": "user", "content": QUESTION}], stream=True)


def test_an_answer_that_breaks_off_keeps_what_came(openai: OpenAI, llm: FakeLlm) -> None:
    llm.scripts = [Script(["The gauge shows two bar [1]. ", "And then", " it"], drop_after=2)]
    answer = openai.chat.completions.create(model="docs", messages=[{"role": "user", "content": QUESTION}])
    assert (answer.choices[0].message.content or "").startswith("The gauge shows two bar [1].")
    assert (answer.model_extra or {})["searchkit"]["ending"] == "broken"


def test_chatting_with_what_is_no_collection_names_those_there_are(openai: OpenAI) -> None:
    with pytest.raises(NotFoundError, match="Choose from: searchkit, docs, letters") as refused:
        openai.chat.completions.create(model="gpt-5", messages=[{"role": "user", "content": "hello"}])
    assert refused.value.body == {
        "message": "There is no chat model 'gpt-5'. Choose from: searchkit, docs, letters.",
        "type": "invalid_request_error",
        "param": None,
        "code": "model_not_found",
    }
    with pytest.raises(BadRequestError, match="last message must be the user's"):
        openai.chat.completions.create(model="docs", messages=[{"role": "assistant", "content": "hello"}])


def test_openai_is_told_that_its_key_is_wrong(server: Server) -> None:
    with (
        OpenAI(base_url=f"{server.url}/v1", api_key="wrong", max_retries=0) as client,
        pytest.raises(AuthenticationError, match="token is wrong"),
    ):
        client.models.list()


def test_ollama_embeds_and_lists(server: Server) -> None:
    with OllamaClient(server.url, headers={"authorization": f"Bearer {server.token}"}) as client:
        embedded = np.array(client.embed("hash:latest", ["boiler", "roses"]).embeddings)
        assert embedded == pytest.approx(HashEmbedder().embed_queries(["boiler", "roses"]), abs=1e-6)
        short = client.embed("hash", "boiler", dimensions=8).embeddings[0]
        assert np.array(short) == pytest.approx(embedded[0][:8] / np.linalg.norm(embedded[0][:8]), abs=1e-6)
        assert np.array(client.embeddings("hash", "boiler").embedding) == pytest.approx(embedded[0], abs=1e-6)
        assert [model.model for model in client.list().models] == ["searchkit", "docs", "letters", "hash"]
        with pytest.raises(ResponseError, match="No model named 'llama'"):
            client.embed("llama", "boiler")
        for name in ("hash:query", "hash:document", "hash:latest"):
            assert client.show(name).modelinfo == client.show("hash").modelinfo


def test_open_webui_searches_and_reranks(server: Server) -> None:
    found = server.post("/open-webui/search", {"query": "prune the roses", "count": 2}).json()
    assert found[0]["link"].startswith("file:///")
    assert found[0]["link"].endswith("roses.md#L3")
    assert found[0]["snippet"] == "Prune the roses in March, above an outward bud."
    documents = ["bread and dough", "roses in March"]
    body = {"model": "hash", "query": "roses", "documents": documents, "top_n": 2}
    results = server.post("/v1/rerank", body).json()["results"]
    assert [result["index"] for result in results] == [1, 0]
    assert results[0]["relevance_score"] > results[1]["relevance_score"] >= 0


def test_an_empty_text_ranks_last_and_spoils_nothing(server: Server) -> None:
    body = {"model": "hash", "query": "roses", "documents": ["", "roses in March", "  "]}
    results = server.post("/v1/rerank", body).json()["results"]
    assert [(each["index"], each["relevance_score"] > 0) for each in results] == [(1, True), (0, False), (2, False)]


def test_dify_retrieves(server: Server) -> None:
    body = {
        "knowledge_id": "docs",
        "query": "prune the roses",
        "retrieval_setting": {"top_k": 2, "score_threshold": 0.5},
        "metadata_condition": {
            "conditions": [{"name": ["filename"], "comparison_operator": "start with", "value": "Rose"}]
        },
    }
    (record,) = server.post("/retrieval", body).json()["records"]
    assert record["content"] == "Prune the roses in March, above an outward bud."
    assert record["metadata"]["type"] == "md"
    refused = server.post("/retrieval", {**body, "knowledge_id": "nope"})
    assert (refused.status_code, refused.json()["error_code"]) == (404, 2001)
    assert server.post("/retrieval", body, authorization="Bearer x").json()["error_code"] == 1002


def test_what_was_found_can_be_opened_by_its_ids(server: Server) -> None:
    found = server.get("/search", q="prune the roses", k=1).json()["hits"][0]
    opened = server.get(f"/passages/{found['id']}").json()
    assert opened["passage"]["text"] == found["text"]
    document = server.get(f"/documents/{found['document_id']}").json()
    assert document["document"]["path"] == found["path"]
    assert found["text"] in [passage["text"] for passage in document["passages"]]
    assert server.get("/collections").json()["collections"][0]["collection"] == "docs"


def test_a_search_takes_the_filters_of_the_command(server: Server) -> None:
    body = {"query": "", "types": ["txt"], "k": 5}
    assert [each["title"] for each in server.post("/search", body).json()["hits"]] == ["bread.txt"]
    assert server.post("/search", {"query": "", "k": 5}).status_code == 400
    assert "not a date" in server.post("/search", {"query": "x", "since": "soon"}).text
    assert "kk" in server.post("/search", {"query": "x", "kk": 5}).text
