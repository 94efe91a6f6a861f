"""The page on which questions are asked: the answer as it is written, then with its sources, of which each opens its document."""

import json
import re
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from typing import Annotated
from urllib.parse import parse_qs

from fastapi import APIRouter, Query, Request, Response

from searchkit.display import printable
from searchkit.errors import SearchkitError, UsageError
from searchkit.library import Library
from searchkit.serve.dialects.chat.answering import AnswerInProgress, ChatRequest, ChatResult
from searchkit.serve.dialects.chat.delivery import AnswerResponse, whole_answer, written
from searchkit.serve.dialects.chat.requests import EVERYTHING, question_and_history
from searchkit.serve.http.error_responses import ErrorResponse, error_response, internal_error
from searchkit.serve.http.lifespan import AppState, StateDep
from searchkit.serve.http.middleware.asgi import error_summary, log
from searchkit.serve.page.content import HitView, hit_view
from searchkit.serve.page.page_route import PageRoute
from searchkit.serve.page.rendering import HEADERS, page, render
from searchkit.serve.search import ReferencedHit

_CITATION = re.compile(r"\[(\d{1,3})\]")
_MOST_FIELDS = 100
_MOST_TURNS = 6  # of a conversation that are sent again, to understand the next question
_MOST_QUESTION = 20_000
_ENDINGS = {
    "length": "The language model stopped at its limit; the answer may go on.",
    "broken": "The language model's server broke off; the answer may go on.",
}

router = APIRouter(route_class=PageRoute, include_in_schema=False)


@dataclass(frozen=True, slots=True)
class Question:
    """A question as the form sends it. `collection`: "" for all; `earlier`: questions with their answers, oldest first."""

    text: str
    collection: str = ""
    earlier: tuple[tuple[str, str], ...] = ()

    def chat_request(self) -> ChatRequest:
        """Return what is asked. Raises UsageError if there is no question."""
        said = [turn for asked, answered in self.earlier for turn in (("user", asked), ("assistant", answered))]
        question, history = question_and_history([*said, ("user", self.text)])
        return ChatRequest(f"{EVERYTHING}/{self.collection}" if self.collection else EVERYTHING, question, history)


@dataclass(frozen=True, slots=True)
class AnswerPiece:
    """A part of an answer: text, or the number of a source."""

    text: str
    number: int = 0


@dataclass(frozen=True, slots=True)
class SourceView:
    """A source. `is_cited`: the answer names it."""

    number: int
    hit: HitView
    is_cited: bool


@dataclass(frozen=True, slots=True)
class Turn:
    """A question and its answer. `remarks`: what is to be known of the answer; `model`: who wrote it."""

    question: str
    answer: str
    pieces: Sequence[AnswerPiece]
    sources: Sequence[SourceView] = ()
    remarks: Sequence[str] = ()
    model: str = ""


@router.get("/ui/ask")
async def ask_page(
    state: StateDep,
    q: Annotated[str, Query(max_length=_MOST_QUESTION)] = "",
    collection: Annotated[str, Query(max_length=200)] = "",
) -> Response:
    """Show the form; a question in the address is written into it, and not asked yet."""
    return await _page(state, [], collection, q)


@router.post("/ui/ask")
async def ask(request: Request, state: StateDep) -> Response:
    """Answer a question on a page, once all of it is written."""
    question = await _question(request)
    text, result = await whole_answer(AnswerInProgress(state.answer_pool, state.language, question.chat_request()))
    turns = [Turn(asked, answered, [AnswerPiece(answered)]) for asked, answered in question.earlier]
    return await _page(state, [*turns, turn_of(question.text, text, result)], question.collection, "")


@router.post("/ui/ask/stream")
async def ask_streamed(request: Request, state: StateDep) -> Response:
    """Answer a question in lines of JSON: `text` as it is written, then `html`, the whole turn with its sources."""
    question = await _question(request)
    running = AnswerInProgress(state.answer_pool, state.language, question.chat_request())
    return AnswerResponse(running, _lines(running, question.text), "application/x-ndjson", HEADERS)


async def _lines(running: AnswerInProgress, question: str) -> AsyncIterator[bytes]:
    text = ""
    try:
        async with aclosing(written(running)) as pieces:
            async for piece in pieces:
                if piece is None:
                    yield b"\n"
                elif isinstance(piece, str):
                    text += piece
                    yield _line({"text": printable(piece)})
                else:
                    yield _line({"html": render("turn.html", turn=turn_of(question, text, piece), number=0)})
    except SearchkitError as error:
        yield _line({"html": _refusal(error_response(error))})
    except Exception as error:  # noqa: BLE001 (the status has been sent)
        log.error("an answer broke off: %s", error_summary(error))
        yield _line({"html": _refusal(internal_error())})


def turn_of(question: str, text: str, result: ChatResult) -> Turn:
    """Return a question with its finished answer and the sources that it was written from."""
    report = result.report
    found = map(ReferencedHit, result.sources, result.references)
    sources = [
        SourceView(number, hit_view(each, result.searched_for), number in report.cited)
        for number, each in enumerate(found, start=1)
    ]
    remarks = [_ENDINGS[report.ending]] if report.ending in _ENDINGS else []
    if report.unsupported:
        remarks.append(f"No source says: {' '.join(report.unsupported)}")
    if report.differing:
        remarks.append(f"The source seems to say otherwise: {' '.join(report.differing)}")
    if report.beside_the_question:
        remarks.append(f"Does not seem to answer the question: {' '.join(report.beside_the_question)}")
    if report.removed_citations:
        remarks.append(f"Citations of sources that do not exist were removed: {', '.join(report.removed_citations)}")
    shown = printable(text).strip()
    pieces = answer_pieces(shown, len(sources))
    return Turn(
        question, shown, pieces, sources, [printable(each) for each in remarks], printable(result.language_model)
    )


def answer_pieces(text: str, sources: int) -> list[AnswerPiece]:
    """Part an answer at the numbers of its sources; other numbers in brackets stay text."""
    pieces = []
    at = 0
    for match in _CITATION.finditer(text):
        if 1 <= int(match[1]) <= sources:
            pieces += [AnswerPiece(text[at : match.start()]), AnswerPiece("", int(match[1]))]
            at = match.end()
    return [piece for piece in (*pieces, AnswerPiece(text[at:])) if piece.text or piece.number]


async def _question(request: Request) -> Question:
    """Read the form. Raises UsageError for anything else."""
    try:
        fields = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError as error:
        raise UsageError("This is no form of the page.", remedy="Ask again.") from error
    asked, answered = fields.get("asked", []), fields.get("answered", [])
    earlier = tuple(zip(asked, answered, strict=False))[-_MOST_TURNS:]
    return Question(_only(fields, "q")[:_MOST_QUESTION], _only(fields, "collection"), earlier)


def _only(fields: Mapping[str, Sequence[str]], name: str) -> str:
    return (fields.get(name) or [""])[-1].strip()


async def _page(state: AppState, turns: Sequence[Turn], collection: str, question: str) -> Response:
    def work(library: Library) -> Response:
        names = library.collections()
        return page("ask.html", turns=turns, names=names, collection=collection, question=question, here="ask")

    return await state.list_pool.run(work)


def _refusal(error: ErrorResponse) -> str:
    return render("refusal_part.html", message=printable(error.message))


def _line(value: Mapping[str, str]) -> bytes:
    return json.dumps(value, ensure_ascii=True).encode() + b"\n"
