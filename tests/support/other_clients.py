"""What other clients do with a server, in an environment of their own: they need other versions of packages than searchkit's tests.

Usage: python other_clients.py SCENARIO URL TOKEN. Prints what came back as JSON. Only the scenario's package must be installed.
"""

import importlib
import json
import sys
from collections.abc import Callable, Mapping
from typing import Any

QUESTION = "until what does the gauge show water"


def langchain_responses(url: str, token: str) -> object:
    """ChatOpenAI over the Responses API, whole and streamed."""
    model = importlib.import_module("langchain_openai").ChatOpenAI(
        model="docs", base_url=f"{url}/v1", api_key=token, use_responses_api=True
    )
    whole = model.invoke(QUESTION)
    (part,) = whole.content
    kinds = sorted({each["type"] for each in part["annotations"]})
    streamed = "".join(each.text for each in model.stream(QUESTION))
    return {"text": part["text"], "annotations": kinds, "streamed": streamed}


def langchain_ollama(url: str, token: str) -> object:
    """ChatOllama, which asks for the model when it is made."""
    model = importlib.import_module("langchain_ollama").ChatOllama(
        model="docs", base_url=url, validate_model_on_init=True, client_kwargs=_headers(token)
    )
    streamed = "".join(each.text for each in model.stream(QUESTION))
    return {"text": model.invoke(QUESTION).text, "streamed": streamed}


def langchain_tokens(url: str, token: str) -> object:
    """OpenAIEmbeddings as it comes, which sends tiktoken's ids, and with text."""
    make = importlib.import_module("langchain_openai").OpenAIEmbeddings
    options = {"model": "hash", "base_url": f"{url}/v1", "api_key": token}
    as_text = make(check_embedding_ctx_length=False, **options)
    return {"dimensions": [len(each) for each in as_text.embed_documents(["boiler", "roses"])]}


def llama_index(url: str, token: str) -> object:
    """OpenAILike as it comes, which sends prompts, and as a chat model."""
    make = importlib.import_module("llama_index.llms.openai_like").OpenAILike
    options = {"model": "docs", "api_base": f"{url}/v1", "api_key": token}
    chatting = make(is_chat_model=True, **options)
    return {"text": make(**options).complete(QUESTION).text, "chat": chatting.complete(QUESTION).text}


def litellm_rerank(url: str, token: str) -> object:
    """LiteLLM's rerank in the manner of four providers."""
    rerank = importlib.import_module("litellm").rerank
    found = {}
    for provider in ("cohere", "jina_ai", "hosted_vllm", "infinity"):
        answer = rerank(
            model=f"{provider}/hash",
            query="roses",
            documents=["bread and dough", "roses in March"],
            top_n=1,
            api_base=f"{url}/v2/rerank" if provider == "cohere" else f"{url}/rerank",
            api_key=token,
            return_documents=provider != "infinity",  # whose documents are texts, where those of all others are objects
        )
        found[provider] = [each["index"] for each in answer.results]
    return found


def haystack_empty(url: str, token: str) -> object:
    """Haystack's embedder of documents, one of which is empty."""
    embedders = importlib.import_module("haystack.components.embedders")
    haystack = importlib.import_module("haystack")
    secret = importlib.import_module("haystack.utils").Secret.from_token(token)
    embedder = embedders.OpenAIDocumentEmbedder(api_key=secret, api_base_url=f"{url}/v1", model="hash")
    documents = [haystack.Document(content=text) for text in ("boiler", "", "roses")]
    return {"dimensions": [len(each.embedding or ()) for each in embedder.run(documents)["documents"]]}


def _headers(token: str) -> dict[str, dict[str, str]]:
    return {"headers": {"authorization": f"Bearer {token}"}}


SCENARIOS: Mapping[str, Callable[[str, str], object]] = {
    each.__name__: each
    for each in (langchain_responses, langchain_ollama, langchain_tokens, llama_index, litellm_rerank, haystack_empty)
}


def main(scenario: str, url: str, token: str) -> Any:
    """Run one scenario."""
    print(json.dumps(SCENARIOS[scenario](url, token)))  # noqa: T201


if __name__ == "__main__":
    main(*sys.argv[1:])
