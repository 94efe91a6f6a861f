"""Reranking by the cosine of vectors, under every path and in every shape that clients of rerankers use.

Jina, Cohere, vLLM, llama.cpp, LiteLLM and Open WebUI send `documents` and read `results`; Text Embeddings Inference has `texts`,
and a bare list in return.
"""

import secrets
from typing import Annotated, Literal, Self

import numpy as np
from fastapi import APIRouter
from pydantic import BaseModel, Field, model_validator
from pydantic_core import PydanticCustomError

from searchkit.serve.http.lifespan import AppState, StateDep
from searchkit.serve.model_names import unaliased
from searchkit.serve.vectors import MAX_INPUTS, EmbeddingRequest, embed

router = APIRouter(tags=["rerank"])
_ALSO = ("/rerank", "/v2/rerank", "/reranking", "/v1/reranking")
_Text = Annotated[str, Field(max_length=2_000_000)]


class TextDocument(BaseModel):
    """A document as an object; other fields are ignored."""

    text: _Text


_Documents = Annotated[list[_Text | TextDocument], Field(min_length=1, max_length=MAX_INPUTS, fail_fast=True)]


class RerankRequest(BaseModel):
    """The request that Jina, Cohere, Open WebUI and Text Embeddings Inference use; other fields are ignored.

    `model`: an embedding model; without one, the best that is installed. `top_k` is another word for `top_n`.
    """

    model: str | None = Field(default=None, max_length=200, examples=["embeddinggemma-300m"])
    query: str = Field(min_length=1, max_length=20_000)
    documents: _Documents | None = Field(default=None, examples=[["The lease ends on 31 March.", "Knead the dough."]])
    texts: _Documents | None = Field(default=None, description="In place of `documents`: the answer is a bare list.")
    top_n: int | None = Field(default=None, ge=1)
    top_k: int | None = Field(default=None, ge=1)
    return_documents: bool | None = False
    return_text: bool | None = False

    @model_validator(mode="after")
    def _has_documents(self) -> Self:
        if (self.documents is None) == (self.texts is None):
            raise PydanticCustomError("no_documents", "Send the texts to order as `documents` (or as `texts`).")
        return self

    @property
    def given(self) -> list[str]:
        """The texts to order."""
        return [each if isinstance(each, str) else each.text for each in self.documents or self.texts or []]


class RerankEntry(BaseModel):
    """The index of a document in the request, its score, and the document itself if that was asked for."""

    index: int
    relevance_score: float
    document: TextDocument | None = None


class RerankUsage(BaseModel):
    """The number of tokens in the query and the documents."""

    prompt_tokens: int
    total_tokens: int


class RerankList(BaseModel):
    """The documents, best first."""

    id: str
    object: Literal["list"] = "list"
    model: str
    results: list[RerankEntry]
    usage: RerankUsage
    meta: dict[str, dict[str, int]] = Field(description="The numbers that Cohere's clients look for.")


class RankedText(BaseModel):
    """An entry of the list that Text Embeddings Inference returns."""

    index: int
    score: float
    text: str | None = None


@router.post(
    "/v1/rerank",
    operation_id="rerank",
    summary="Order texts by a query",
    response_model=RerankList | list[RankedText],
    response_model_exclude_none=True,
)
async def rerank(request: RerankRequest, state: StateDep) -> RerankList | list[RankedText]:
    """Order texts by their similarity to a query: the cosine of their vectors, or 0 if it is negative or the text is empty."""
    texts = request.given
    model = request.model or await _best_model(state)
    scores, tokens = await _scores(state, unaliased(model, state.options.aliases), request.query, texts)
    order = np.argsort(-scores, kind="stable")[: request.top_n or request.top_k]
    ranked = [(int(index), round(float(scores[index]), 6)) for index in order]
    if request.texts is not None:
        return [
            RankedText(index=index, score=score, text=texts[index] if request.return_text else None)
            for index, score in ranked
        ]
    results = [RerankEntry(index=index, relevance_score=score) for index, score in ranked]
    if request.return_documents:
        results = [each.model_copy(update={"document": TextDocument(text=texts[each.index])}) for each in results]
    return RerankList(
        id=f"rerank-{secrets.token_hex(12)}",
        model=model,
        results=results,
        usage=RerankUsage(prompt_tokens=tokens, total_tokens=tokens),
        meta={"billed_units": {"search_units": 1}, "tokens": {"input_tokens": tokens, "output_tokens": 0}},
    )


for _path in _ALSO:
    router.add_api_route(
        _path,
        rerank,
        methods=["POST"],
        include_in_schema=False,
        response_model=RerankList | list[RankedText],
        response_model_exclude_none=True,
    )


async def _best_model(state: AppState) -> str:
    """Name the model for new collections. Raises ModelNotFoundError if none is installed."""
    return await state.list_pool.run(lambda library: library.open_models.open().info.name)


async def _scores(
    state: AppState, model: str, query: str, texts: list[str]
) -> tuple["np.ndarray[tuple[int], np.dtype[np.float64]]", int]:
    """Return the score of each text, and the number of tokens that were read."""
    asked = await embed(state.pool, EmbeddingRequest(model, [query], input_type="query"))
    scores = np.zeros(len(texts))
    tokens = asked.tokens
    if filled := [index for index, text in enumerate(texts) if text.strip()]:
        documents = await embed(
            state.pool, EmbeddingRequest(model, [texts[index] for index in filled], input_type="document")
        )
        scores[filled] = np.clip(documents.vectors @ asked.vectors[0], 0.0, 1.0)
        tokens += documents.tokens
    return scores, tokens
