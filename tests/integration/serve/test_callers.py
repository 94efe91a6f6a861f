"""Tokens that see some roots of a collection in PostgreSQL: of the others nothing is shown, on any route.

The collection `archive` has two roots, `sales`, which the token sees, and `legal`, which it does not. Everything that must not be
seen is a word that occurs in `legal` alone, or a number that follows from it.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from starlette.routing import Route

from searchkit.errors import CatalogError, CollectionNotFoundError, ConfigError, UsageError
from searchkit.home import Home, View
from searchkit.library import Library
from searchkit.maintenance.callers import make_caller, read_callers
from searchkit.reports import RunOptions
from searchkit.search.query.filters import Filters
from searchkit.serve.http import app
from searchkit.serve.http.middleware.guards import OPEN_PATHS
from searchkit.types import SearchMode, Storage
from tests.support.fake_llm import FakeLlm
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.postgres import LibraryInDatabase, empty_database
from tests.support.serve_process import Server, serving

pytestmark = pytest.mark.postgres

HIDDEN = ("legal", "verdict", "zanzibar", "quimby", "arbitration", "ledgers")  # in lower case; never in a request
SECRET = (
    "# Zanzibar verdict\n\n## Quimby\n\nThe merger was approved by Quimby after arbitration; the price was 7 million.\n"
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the two roots, the data directory `home` of the server, and `url`, the address of a role that reads."""
    folder = tmp_path_factory.mktemp("team")
    write(
        folder / "sales" / "price.md", "# Prices\n\nThe price of a pump is 40 crowns. The merger was good for sales.\n"
    )
    write(folder / "sales" / "both.txt", "A passage that both roots have, word for word.\n")
    write(folder / "legal" / "verdict.md", SECRET)
    write(folder / "legal" / "both.txt", "A passage that both roots have, word for word.\n")
    write(folder / "legal" / "broken.pdf", "no PDF: zanzibar")
    write(folder / "ledgers" / "l.txt", "The ledgers of another collection.\n")
    with empty_database() as url, LibraryInDatabase(folder / "writer", url, embedder=HashEmbedder()) as team:
        for root in ("sales", "legal"):
            team.index(folder / root, collection="archive")
        team.index(folder / "ledgers")
        write(folder / "legal" / "late.txt", "Zanzibar has no vector yet.\n")
        reader = url.replace("postgres:@", "reader:@")
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP ROLE IF EXISTS reader")
            connection.execute("CREATE ROLE reader LOGIN")
            for schema in ("searchkit_archive", "searchkit_ledgers"):
                connection.execute(f"GRANT USAGE ON SCHEMA {schema} TO reader".encode())
                connection.execute(f"GRANT SELECT ON ALL TABLES IN SCHEMA {schema} TO reader".encode())
        write(folder / "url", reader)
        config = "".join(f'[collections.{name}]\nurl = "{reader}"\n' for name in ("archive", "ledgers"))
        write(folder / "home" / "config.toml", config)
        with Library(folder / "home", embedder=HashEmbedder()) as own:
            write(folder / "mine" / "diary.txt", "Quimby was here.\n")
            own.index(folder / "mine", collection="mine")
        yield folder
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("DROP OWNED BY reader")
            connection.execute("DROP ROLE reader")


@pytest.fixture(scope="module")
def token(place: Path) -> str:
    return make_caller(Home(place / "home"), "sales", [("archive", str(place / "sales"))])


@pytest.fixture(scope="module")
def server(place: Path, token: str, llm: FakeLlm) -> Iterator[Server]:
    assert token
    llm.answers("It is 40 crowns [1].")
    with serving(place / "home", llm=llm.base) as running:
        yield running


@pytest.fixture
def seen(place: Path) -> Iterator[Library]:
    """The library as the token sees it."""
    view = View((("archive", (str(place / "sales"),)),))
    with (
        Library(place / "home", embedder=HashEmbedder()) as whole,
        whole.as_seen_by(view) as part,
    ):
        yield part


QUERIES = (
    "merger approved price million",
    "zanzibra",
    "zanzib",
    '"approved by"',
    "-pump price",
    "file:verd merger",
    "7 million",
)


def found_ids(server: Server) -> tuple[str, str]:
    """Ids of a passage of `legal` and of its document, as the owner's token finds them."""
    hits = server.get("/search", q="merger approved arbitration").json()["hits"]
    hit = next(hit for hit in hits if "verdict" in hit["path"])
    return hit["id"], hit["document_id"]


def requests(server: Server) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """Requests to all routes, (method, path, body), with what somebody would try."""
    passage, document = found_ids(server)
    answer = server.post("/v1/responses", {"model": "archive", "input": "What was approved?"}).json()["id"]
    for query in QUERIES:
        yield "GET", f"/search?q={query}", None
        for mode in SearchMode:
            yield "POST", "/search", {"query": query, "mode": mode, "k": 50}
        yield "POST", "/v1/vector_stores/archive/search", {"query": query, "max_num_results": 50}
        yield "POST", "/open-webui/search", {"query": query, "count": 20}
        yield "POST", "/retrieval", {"knowledge_id": "archive", "query": query, "retrieval_setting": {"top_k": 20}}
        yield "POST", "/v1/chat/completions", {"model": "archive", "messages": [{"role": "user", "content": query}]}
    yield "POST", "/search", {"query": "", "types": ["md"], "k": 50}
    yield "POST", "/search", {"query": "merger", "paths": ["*/l*/*"], "k": 50}
    yield "GET", "/collections", None
    for each in (passage, document):
        yield "GET", f"/passages/{each}", None
        yield "GET", f"/documents/{each}", None
        yield "GET", f"/v1/files/{each}", None
        yield "GET", f"/v1/files/{each}/content", None
        yield "GET", f"/v1/vector_stores/archive/files/{each}", None
        yield "GET", f"/v1/vector_stores/archive/files/{each}/content", None
    for collection in ("archive", "mine", "searchkit"):
        yield "GET", f"/v1/models/{collection}", None
        yield "GET", f"/v1/vector_stores/{collection}", None
        yield "GET", f"/v1/vector_stores/{collection}/files", None
        yield "POST", "/api/show", {"model": collection}
        yield "POST", "/index", {"collection": collection}
        asked = {"model": collection, "prompt": "Who approved the merger?", "stream": False}
        yield "POST", "/v1/completions", asked
        yield "POST", "/api/generate", asked
        yield (
            "POST",
            "/api/chat",
            {"model": collection, "messages": [{"role": "user", "content": "Who?"}], "stream": False},
        )
        yield "POST", "/v1/responses", {"model": collection, "input": "Who approved the merger?"}
    yield "POST", "/v1/responses", {"model": "archive", "input": "Go on.", "previous_response_id": answer}
    yield "GET", f"/v1/responses/{answer}", None
    yield "DELETE", f"/v1/responses/{answer}", None
    yield "POST", "/v1/embeddings", {"model": "hash", "input": "merger"}
    for path in ("/v1/rerank", "/v2/rerank", "/rerank", "/reranking", "/v1/reranking"):
        yield "POST", path, {"query": "merger", "documents": ["a", "b"]}
    yield "POST", "/api/embed", {"model": "hash", "input": "merger"}
    yield "POST", "/api/embeddings", {"model": "hash", "prompt": "merger"}
    for path in ("/v1/models", "/v1/vector_stores", "/v1/files", "/api/tags", "/api/ps", "/api/version", "/index"):
        yield "GET", path, None
    for path in OPEN_PATHS:
        yield "GET", path, None
    yield from of_the_page(passage)
    yield from calls_by_mcp(passage, document)


def of_the_page(passage: str) -> Iterator[tuple[str, str, dict[str, Any] | None]]:
    """What a browser that sends the token would try."""
    for path in ("search", "results"):
        for query in QUERIES:
            yield "GET", f"/ui/{path}?q={query}&k=50", None
        yield "GET", f"/ui/{path}?type=md", None
        yield "GET", f"/ui/{path}?collection=mine&q=diary", None
    for path in (f"read/{passage}", f"picture/{passage}", "collections", "help", "ask", "static/page.css"):
        yield "GET", f"/ui/{path}", None
    for path in ("ask", "ask/stream"):
        yield "POST", f"/ui/{path}", {"q": "What was approved, at what price?", "collection": "archive"}
    yield "POST", "/ui/collections/archive/index", {}
    yield "POST", "/ui/leave", {}


def calls_by_mcp(passage: str, document: str) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What a client of MCP would try: each tool, with each argument that it may have."""
    from searchkit.serve.mcp.tools import TOOLS

    tried: dict[str, Any] = {
        "query": "merger approved",
        "question": "Who approved it?",
        "passage_id": passage,
        "id": passage,
    }
    for ids in ({}, {"document_id": document, "id": document}):
        for tool in TOOLS:
            names = {argument.name for argument in tool.arguments}
            given = {name: value for name, value in {**tried, **ids}.items() if name in names}
            call = {"name": tool.name, "arguments": given}
            yield "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": call}
    yield "POST", "/mcp", {"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}}


def shown(client: httpx2.Client, method: str, path: str, body: dict[str, Any] | None) -> str:
    """What the server answers, with its status and headers, in lower case."""
    accept = {"accept": "application/json, text/event-stream"}
    if body is not None and path.startswith("/ui/"):
        answer = client.request(method, path, data=body)
    else:
        answer = client.request(method, path, json=body, headers=accept) if body else client.request(method, path)
    assert answer.status_code < 500 or answer.status_code == 503, f"{method} {path}: {answer.text}"
    return f"{answer.status_code} {dict(answer.headers)} {answer.text}".lower()


def test_no_route_shows_anything_of_another_root(server: Server, token: str) -> None:
    tried: set[str] = set()
    for method, path, body in list(requests(server)):
        tried.add(f"{method} {path.partition('?')[0]}")
        with server.client(authorization=f"Bearer {token}") as client:
            said = shown(client, method, path, body)
        request = f"{path} {json.dumps(body)}".lower()
        leaks = [word for word in HIDDEN if word in said and word not in request]
        assert not leaks, f"{method} {path} {body}: {leaks} in {said}"
    registered = [route for module in app._ROUTES for route in module.router.routes if isinstance(route, Route)]
    routes = {f"{method} {route.path}" for route in registered for method in route.methods or ()}
    assert len(routes) > 40
    routes = {route for route in routes if not route.startswith("HEAD ")}
    patterns = {route: [part if "{" not in part else None for part in route.split("/")] for route in routes}
    untried = [
        route
        for route, parts in patterns.items()
        if not any(
            len(parts) == len(each.split("/"))
            and all(p in (None, q) for p, q in zip(parts, each.split("/"), strict=True))
            for each in tried
        )
    ]
    assert not untried


def test_the_owners_token_sees_what_the_other_does_not(server: Server) -> None:
    """So that the test above looks for what can be found."""
    with server.client() as client:
        everything = " ".join(shown(client, *request) for request in list(requests(server)))
    assert {word for word in HIDDEN if word in everything} == set(HIDDEN)


def test_a_language_model_is_shown_no_passage_of_another_root(server: Server, token: str, llm: FakeLlm) -> None:
    llm.asked.clear()
    question = {
        "model": "archive",
        "messages": [{"role": "user", "content": "What is the price of a pump, and was the merger good for sales?"}],
    }
    with server.client(authorization=f"Bearer {token}") as client:
        answer = client.post("/v1/chat/completions", json=question)
        assert answer.status_code == 200, answer.text
    assert llm.asked, answer.text
    sent = json.dumps(llm.asked).lower()
    assert "40 crowns" in sent
    assert not [word for word in HIDDEN if word in sent]


def test_counts_are_those_of_the_visible_roots(server: Server, token: str, place: Path) -> None:
    with server.client(authorization=f"Bearer {token}") as client:
        (archive,) = client.get("/collections").json()["collections"]
        stores = client.get("/v1/vector_stores").json()["data"]
        files = client.get("/v1/files").json()["data"]
    assert archive["collection"] == "archive"
    assert archive["folders"] == [str(place / "sales")]
    assert (archive["files"], archive["passages"]) == (2, 2)
    assert [store["id"] for store in stores] == ["archive"]
    assert sorted(Path(file["filename"]).name for file in files) == ["both.txt", "price.md"]


@pytest.mark.parametrize("mode", list(SearchMode))
def test_scores_and_order_are_those_of_a_collection_without_the_other_roots(
    seen: Library, place: Path, tmp_path: Path, mode: SearchMode
) -> None:
    with Library(tmp_path / "home", embedder=HashEmbedder()) as alone:
        alone.index(
            place / "sales", collection="archive", options=RunOptions(storage=Storage.EXACT)
        )  # as a database stores them
        for query in QUERIES:
            expected, found = (each.find_hits(query) for each in (Asked(alone, mode), Asked(seen, mode)))
            assert found == expected, query


class Asked:
    """A library, asked in one mode."""

    def __init__(self, library: Library, mode: SearchMode) -> None:
        self._library, self._mode = library, mode

    def find_hits(self, query: str) -> list[tuple[str, object]]:
        """Names and scores."""
        return [
            (hit.path.name, pytest.approx(hit.score, abs=1e-3)) for hit in self._library.search(query, mode=self._mode)
        ]


def test_filters_similar_files_and_the_status_stay_within_the_visible_roots(seen: Library, place: Path) -> None:
    assert [hit.path.name for hit in seen.search("", filters=Filters(types=("md",)))] == ["price.md"]
    similar = seen.similar(place / "sales" / "price.md")
    assert not [hit for hit in similar if "legal" in str(hit.path)]
    with pytest.raises(UsageError, match="No collection"):
        seen.similar(place / "legal" / "verdict.md")
    status = seen.status("archive")
    assert (status.files, status.files_skipped, status.size_bytes, status.problems) == (2, 0, 0, ())
    with pytest.raises(CollectionNotFoundError):
        seen.status("mine")
    with pytest.raises(CollectionNotFoundError):
        seen.collection("mine", must_exist=False)


def test_nothing_can_be_changed_by_whoever_sees_a_part(seen: Library, place: Path) -> None:
    with pytest.raises(CatalogError, match="cannot be changed"):
        seen.collection("archive").refresh()
    with pytest.raises(CatalogError, match="cannot be changed"):
        seen.collection("archive").delete()


def test_a_root_of_no_name_and_an_empty_list_see_nothing(place: Path) -> None:
    with Library(place / "home", embedder=HashEmbedder()) as whole:
        for roots in ((str(place / "sal"),), (str(place),), (f"{place}/sales' OR true --",), ("",)):
            with whole.as_seen_by(View((("archive", roots),))) as part:
                assert part.search("price") == []
                assert part.status("archive").files == 0


def test_a_user_who_owns_the_tables_is_refused_since_nothing_is_kept_from_him(place: Path, tmp_path: Path) -> None:
    owner = (place / "url").read_text().replace("reader:@", "postgres:@")
    write(tmp_path / "home" / "config.toml", f'[collections.archive]\nurl = "{owner}"\n')
    with (
        Library(tmp_path / "home", embedder=HashEmbedder()) as whole,
        whole.as_seen_by(View((("archive", (str(place / "sales"),)),))) as part,
        pytest.raises(CatalogError, match="keeps nothing from that user"),
    ):
        part.search("price", collections=["archive"])


def test_a_role_that_reads_still_finds_words_by_the_index_and_sees_all_roots(place: Path) -> None:
    with Library(place / "home", embedder=HashEmbedder()) as whole:
        assert whole.search("arbitration", mode=SearchMode.LEXICAL)[0].path.name == "verdict.md"
        assert whole.status("archive").files == 5


def test_tokens_are_kept_as_hashes_in_a_private_file_and_made_anew_under_the_same_name(
    place: Path, tmp_path: Path
) -> None:
    home = Home(tmp_path)
    write(home.config, f'[collections."our archive"]\nurl = "{(place / "url").read_text()}"\n')
    strange = '/srv/"b" \\ \U0001f4c1\n\x7f'
    first = make_caller(home, "sales", [("our archive", "/srv/a"), ("our archive", strange)])
    second = make_caller(home, "legal", [("our archive", "/srv/c")])
    assert first not in home.callers.read_text()
    assert home.callers.stat().st_mode & 0o077 == 0
    sales, legal = read_callers(home)
    assert sales.view.roots == (("our archive", ("/srv/a", strange)),)
    assert (sales.has(first), sales.has(second), legal.has(second), legal.has("")) == (True, False, True, False)
    assert make_caller(home, "sales", [("our archive", "/srv/a")]) != first
    assert not any(caller.has(first) for caller in read_callers(home))


def test_the_command_makes_a_token_for_a_root_that_is_there(place: Path) -> None:
    def run(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "searchkit", "serve", "--new-token", "desk", *arguments],
            env={**os.environ, "SEARCHKIT_HOME": str(place / "home")},
            capture_output=True,
            text=True,
            check=False,
        )

    made = run("--sees", f"archive={place / 'sales'}/")
    assert made.returncode == 0, made.stderr
    [desk] = [caller for caller in read_callers(Home(place / "home")) if caller.name == "desk"]
    assert desk.has(made.stdout.strip())
    assert desk.view.roots == (("archive", (str(place / "sales"),)),)
    wrong = run("--sees", "archive=/srv/nowhere")
    assert wrong.returncode == 1
    assert "'/srv/nowhere' is no root of the collection 'archive'. Its roots are" in wrong.stderr
    assert str(place / "sales") in wrong.stderr


@pytest.mark.parametrize(
    ("name", "sees", "said"),
    [
        ("a b", [("archive", "/srv")], "cannot be a token's name"),
        ("sales", [], "would see nothing"),
        ("sales", [("mine", "/srv")], "'mine' lives in no database"),
    ],
)
def test_a_token_that_makes_no_sense_is_refused(place: Path, name: str, sees: list[tuple[str, str]], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make_caller(Home(place / "home"), name, sees)


@pytest.mark.parametrize(
    "text",
    [
        "[sales]\nsha256 = 'abc'\nsees.a = ['/b']\n",
        f"[sales]\nsha256 = '{'0' * 64}'\nsees.a = '/b'\n",
        "sales = 1\n",
        "[sales\n",
    ],
)
def test_a_file_of_tokens_that_was_not_written_here_is_refused(tmp_path: Path, text: str) -> None:
    write(tmp_path / "serve-tokens.toml", text)
    with pytest.raises(ConfigError, match=r"serve-tokens\.toml"):
        read_callers(Home(tmp_path))
