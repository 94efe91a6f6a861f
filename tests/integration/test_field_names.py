"""A thing has one name for each of its fields: what --json, HTTP and MCP print of it, the Python object has under that name."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from inspect import signature
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from fastapi.testclient import TestClient

from searchkit.answer.answerer import Answerer
from searchkit.answer.conversation import Conversation
from searchkit.answer.grounding.answer_stream import AnswerReport
from searchkit.answer.grounding.checked_text import CheckedSentence
from searchkit.cli.main import cli
from searchkit.evaluate.answers import AnswerFigures, Judgement
from searchkit.index_store.trials import Trial
from searchkit.library import Library
from searchkit.maintenance.rebuild import RebuildReport
from searchkit.maintenance.tune_index import TuneReport
from searchkit.reports import CollectionSizes, CollectionStatus, EmbedReport, FormatCount, IndexReport, LeftOut, Problem
from searchkit.search.request import SearchRequest, SearchResponse
from searchkit.serve.dialects.chat.answering import ChatResult
from searchkit.serve.dialects.native_shapes import SearchRequest as PostedRequest
from searchkit.serve.http.app import make_api
from searchkit.serve.http.lifespan import close_state, open_state
from searchkit.serve.http.options import ServeOptions
from searchkit.serve.mcp.answers import fetch_answer, status_answer
from searchkit.serve.references import AboutDocument, OpenedDocument, OpenedPassage, PassageText
from searchkit.types import Evidence, Hit
from tests.support.fake_llm import fake_llm
from tests.support.files import write
from tests.support.homes import copied
from tests.support.mcp_tool import search_by_mcp

pytestmark = pytest.mark.minilm
Objects = list[dict[str, Any]]
REFERENCES = frozenset({"id", "document_id"})  # what opens a passage and its document
DEEP_RESEARCH = frozenset({"id", "title", "url", "text"})  # the shape that OpenAI's clients demand of `search`


@dataclass
class FrontEnds:
    """What the front ends print of the same collection."""

    home: Path
    client: TestClient
    library: Library

    def command(self, *arguments: str) -> Objects:
        done = CliRunner().invoke(cli, [*arguments, "--json"], env={"SEARCHKIT_HOME": str(self.home)})
        found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
        assert found, done.output
        return found

    def http(self, path: str, part: str = "", **query: str) -> Objects:
        answer = self.client.get(path, params=query)
        assert answer.status_code == 200, answer.text
        found = answer.json()[part] if part else answer.json()
        return found if isinstance(found, list) else [found]

    def searched(self) -> dict[str, Any]:
        return dict(search_by_mcp(self.library, "roses", 3))


@dataclass(frozen=True)
class Thing:
    """`types`: the objects that have it in Python. `own`: by front end, names that its form demands and nothing else has."""

    types: tuple[type, ...]
    own: Mapping[str, frozenset[str]] = field(default_factory=dict)


THINGS: Mapping[str, Thing] = {
    "collection": Thing((CollectionStatus,)),
    "problem": Thing((Problem,)),
    "format": Thing((FormatCount,)),
    "what is left out": Thing((LeftOut,), {"status --left-out --json": frozenset({"collection"})}),
    "hit": Thing(
        (Hit, Evidence),
        {
            "search --json": frozenset({"rank"}),
            "ask --no-llm --json": frozenset({"number", "cited"}),
            "GET /search": REFERENCES | {"title"},
            "MCP search": DEEP_RESEARCH,
        },
    ),
    "response": Thing((SearchResponse,), {"MCP search": frozenset({"results"})}),
    "passage": Thing((PassageText,)),
    "document": Thing((AboutDocument,), {"MCP fetch": frozenset({"about", "document_id", "next", "notes"})}),
    "opened passage": Thing((OpenedPassage,)),
    "opened document": Thing((OpenedDocument,)),
    "index run": Thing((IndexReport,)),
    "embedding": Thing((EmbedReport,)),
    "rebuild": Thing((RebuildReport,)),
    "sizes": Thing((CollectionSizes,)),
    "tuning": Thing((TuneReport,)),
    "trial": Thing((Trial,)),
    "answer": Thing(
        (AnswerReport, Answerer, Conversation, ChatResult),
        {
            "ask --json": frozenset({"question", "quoted", "window_tokens"}),
        },
    ),
    "sentence": Thing((CheckedSentence,)),
    "judged answers": Thing((AnswerFigures,), {"eval answers --json": frozenset({"model", "answers"})}),
    "judged answer": Thing((Judgement,)),
}


@pytest.fixture
def front_ends(small_model: Path, tmp_path: Path) -> Iterator[FrontEnds]:
    home = copied(small_model, tmp_path / "home")
    docs = tmp_path / "docs"
    write(docs / "roses.md", "# Roses\n\nPrune the roses in March, above an outward bud.\n")
    write(docs / "torn.md", "\0\1\2\3" * 99)
    write(docs / ".hidden.md", "Secrets.")
    with Library(home) as library:
        library.index(docs)
        state = open_state(library, ServeOptions(workers=1))
        try:
            with TestClient(make_api(state)) as client:
                yield FrontEnds(home, client, library)
        finally:
            close_state(state, 10)


def printed(at: FrontEnds) -> Iterator[tuple[str, str, Objects]]:
    """Each thing, a front end, and what that prints of it."""
    status, found = at.command("status"), at.http("/search", "hits", q="roses")
    passage, document = at.http(f"/passages/{found[0]['id']}"), at.http(f"/documents/{found[0]['document_id']}")
    by_mcp = at.searched()
    fetched = fetch_answer(at.library, {"id": found[0]["id"], "max_characters": 500}, ())["metadata"]
    assert isinstance(fetched, dict)
    of_mcp = status_answer(at.library, ())["collections"]
    assert isinstance(of_mcp, list)
    yield "collection", "status --json", status
    yield "collection", "collections --json", at.command("collections")
    yield "collection", "GET /collections", at.http("/collections", "collections")
    yield "collection", "MCP status", of_mcp
    yield "problem", "status --json", status[0]["problems"]
    yield "format", "status --json", status[0]["formats"]
    yield "what is left out", "status --left-out --json", at.command("status", "--left-out")
    yield "hit", "search --json", at.command("search", "roses")
    yield "hit", "ask --no-llm --json", at.command("ask", "roses", "--no-llm")[0]["sources"]
    yield "hit", "GET /search", found
    yield "hit", "MCP search", by_mcp["results"]
    yield "response", "GET /search", at.http("/search", q="roses")
    yield "response", "MCP search", [by_mcp]
    yield "opened passage", "GET /passages", passage
    yield "passage", "GET /passages", [passage[0]["passage"]]
    yield "opened document", "GET /documents", document
    yield "document", "GET /documents", [document[0]["document"]]
    yield "document", "MCP fetch", [fetched]
    yield "index run", "index --json", at.command("index")
    yield "embedding", "embed --json", at.command("embed")
    rebuilt = at.command("rebuild", "-c", "docs")
    yield "rebuild", "rebuild --json", rebuilt
    yield "sizes", "status --sizes --json", at.command("status", "--sizes")
    tuned = at.command("tune", "-c", "docs", "--dry-run")
    yield "tuning", "tune --json", tuned
    yield "trial", "tune --json", tuned[0]["trials"]
    yield from answers(at)
    yield "index run", "rebuild --json", [rebuilt[0]["run"]]


def answers(at: FrontEnds) -> Iterator[tuple[str, str, Objects]]:
    """What the front ends print of answers."""
    with fake_llm() as llm:
        llm.answers("Prune the roses in March [1].")
        asked = at.command("ask", "when are roses pruned", "--llm", llm.base)
    yield "answer", "ask --json", asked
    yield "sentence", "ask --json", asked[0]["sentences"]
    message = {"model": "searchkit", "messages": [{"role": "user", "content": "when are roses pruned"}]}
    answered = at.client.post("/v1/chat/completions", json=message)
    yield "answer", "POST /v1/chat/completions", [answered.json()["searchkit"]]
    questions = at.home / "questions.jsonl"
    write(questions, json.dumps({"question": "when are roses pruned", "answers": ["March"], "source": "roses.md"}))
    judged = at.command("eval", "answers", str(questions))
    yield "judged answers", "eval answers --json", judged
    yield "judged answer", "eval answers --json", judged[0]["answers"]


def test_a_thing_has_the_same_names_in_python_json_http_and_mcp(front_ends: FrontEnds) -> None:
    unknown = {}
    seen = set()
    for thing, front_end, objects in printed(front_ends):
        seen.add(thing)
        assert objects, (thing, front_end)
        own = THINGS[thing].own.get(front_end, frozenset())
        known = {name for each in THINGS[thing].types for name in names(each)} - {"is_cut"}
        if others := {name for each in objects for name in each} - known - own:
            unknown[thing, front_end] = others
    assert not unknown, "Python names these otherwise"
    assert seen == THINGS.keys()


def test_json_has_every_field_of_a_report(front_ends: FrontEnds) -> None:
    whole = {"status --json": CollectionStatus, "index --json": IndexReport, "rebuild --json": RebuildReport}
    for thing, front_end, objects in printed(front_ends):
        if front_end in whole and thing in ("collection", "index run", "rebuild"):
            kind = THINGS[thing].types[0]
            assert {each.name for each in fields(kind)} <= objects[0].keys()


def test_a_request_has_the_same_names_in_python_and_http() -> None:
    filters = {"types", "paths", "folders", "since", "until", "senders", "recipients", "subjects", "has"}
    assert PostedRequest.model_fields.keys() - filters <= names(SearchRequest)


def names(kind: type) -> set[str]:
    """The fields and properties of a class."""
    held = {each.name for each in fields(kind)} if is_dataclass(kind) else set(signature(kind).parameters)
    return held | {name for name, value in vars(kind).items() if isinstance(value, property)}
