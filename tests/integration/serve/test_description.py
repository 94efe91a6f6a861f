"""The OpenAPI description: complete, and no request that it allows, or nearly allows, brings about an error of the server's."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.library import Library
from tests.support.fake_llm import fake_llm
from tests.support.files import ROOT, write
from tests.support.hash_embedder import HashEmbedder
from tests.support.serve_process import Server, serving

pytestmark = pytest.mark.slow

_EXAMPLES = 12  # of each operation; more find nothing more, and take longer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("described")
    write(folder / "docs" / "boiler.md", "# Boiler\n\nTop up the water until the gauge shows two bar.\n")
    with Library(folder / "home", embedder=HashEmbedder()) as library:
        library.index(folder / "docs")
    with fake_llm() as llm:
        llm.answers("The gauge shows two bar [1].")
        with serving(folder / "home", {"requests_per_second": 100_000}, llm=llm.base, allows_indexing=True) as running:
            yield running


def test_nothing_that_the_description_allows_is_an_error_of_the_server(server: Server, tmp_path: Path) -> None:
    command = [str(Path(sys.executable).parent / "schemathesis"), "run", f"{server.url}/openapi.json"]
    options = ["--checks", "not_a_server_error,response_schema_conformance,content_type_conformance"]
    options += [
        "--phases",
        "examples,fuzzing",
        "--max-examples",
        str(_EXAMPLES),
        "--seed",
        "1",
        "--generation-database",
        "none",
    ]
    token = ["--header", f"Authorization: Bearer {server.token}"]
    result = subprocess.run(
        [*command, *options, *token, "--no-color"], capture_output=True, text=True, check=False, cwd=tmp_path
    )
    assert result.returncode == 0, result.stdout[-5000:]
    logged = server.log.read_text("utf-8")
    assert " 500 " not in logged
    assert "Traceback" not in logged


def test_every_operation_has_a_name_a_summary_and_a_description(server: Server) -> None:
    described = server.get("/openapi.json").json()
    operations = [each for methods in described["paths"].values() for each in methods.values()]
    names = [each["operationId"] for each in operations]
    assert len(set(names)) == len(names) >= 25
    assert all(name.isidentifier() for name in names)
    assert all(each["summary"] and each["description"] for each in operations)
    assert "422" not in str(described["paths"])


def test_every_operation_is_documented_and_every_documented_one_exists(server: Server) -> None:
    page = (ROOT / "docs" / "serve.md").read_text("utf-8")
    table = page.partition("## What is served")[2].partition("\n## ")[0]
    documented, method = set(), ""
    for row in re.findall(r"^\| (`/?[^|]+`) \|", table, re.MULTILINE):
        for route in re.findall(r"`([^`]+)`", row):
            method = route.partition(" ")[0] if " " in route else method
            documented.add((method.lower(), parameters_unnamed(route.rpartition(" ")[2].partition("?")[0])))
    paths = server.get("/openapi.json").json()["paths"]
    described = {(method, parameters_unnamed(path)) for path, methods in paths.items() for method in methods}
    beside_the_api = {("get", "/openapi.json"), ("get", "/tools/openapi.json")}
    assert {route for route in documented if route[1] != "/mcp"} - beside_the_api == described


def parameters_unnamed(path: str) -> str:
    return re.sub(r"{[^}]*}", "{}", path)


def test_chat_programs_get_a_few_operations_as_tools(server: Server) -> None:
    with server.client(authorization="") as client:
        described = client.get("/tools/openapi.json").json()
    names = {each["operationId"] for methods in described["paths"].values() for each in methods.values()}
    assert names == {"search", "open_passage", "open_document", "list_collections"}
    assert "SearchResults" in described["components"]["schemas"]
    assert "EmbeddingRequest" not in described["components"]["schemas"]
