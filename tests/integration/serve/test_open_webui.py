"""Open WebUI itself, unmodified, in an environment of its own and without the internet; see CONTRIBUTING.md for how to make one."""

import json
import os
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest

from searchkit.library import Library
from tests.support.browser import browser, window
from tests.support.fake_llm import MODEL, FakeLlm, Script
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.serve_process import Server, serving

pytestmark = [pytest.mark.slow, pytest.mark.open_webui]

_START_SECONDS = 300
QUESTION = "until what does the gauge show water"
ANSWER = "The gauge shows water until two bar [1][2][3]."
TITLES = {"notes.txt (north)", "notes.txt (south)", "manual.md: Boiler"}


@dataclass(frozen=True, slots=True)
class OpenWebUi:
    """A running Open WebUI. `api`: a client that is signed in."""

    url: str
    api: httpx2.Client

    def chat(self, model: str, question: str, **more: Any) -> dict[str, Any]:
        """An answer in one piece."""
        body = {"model": model, "stream": False, "messages": [{"role": "user", "content": question}], **more}
        response = self.api.post("/api/chat/completions", json=body)
        assert response.status_code == 200, response.text
        return dict(response.json())


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, llm: FakeLlm) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("open_webui")
    docs = folder / "docs"
    write(docs / "north" / "notes.txt", "In the north the water gauge has to show two bar.\n")
    write(docs / "south" / "notes.txt", "The southern gauge: fill in water until it shows two bar, too.\n")
    write(docs / "manual.md", "# Boiler\n\nTop up the water until the gauge shows two bar.\n")
    write(docs / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    with Library(folder / "home", embedder=HashEmbedder()) as library:
        library.index(docs, collection="docs")
    with serving(folder / "home", llm=llm.base) as running:
        yield running


@pytest.fixture(scope="module")
def web_ui(tmp_path_factory: pytest.TempPathFactory, server: Server, llm: FakeLlm) -> Iterator[OpenWebUi]:
    with open_webui(tmp_path_factory.mktemp("data"), server, llm) as running:
        yield running


@contextmanager
def open_webui(data: Path, server: Server, llm: FakeLlm) -> Iterator[OpenWebUi]:
    """Run it on a free port, connected to a server as docs/serve.md says, and to a language model; wait until it answers."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = Path(os.environ["SEARCHKIT_TEST_OPEN_WEBUI"]).with_name("open-webui")
    command = [str(program), "serve", "--host", "127.0.0.1", "--port", str(port)]
    with (data / "log").open("w") as log:
        environment = {**os.environ, **settings(data, server, llm)}
        process = subprocess.Popen(command, cwd=data, env=environment, stdout=log, stderr=log)
    try:
        with httpx2.Client(base_url=url, timeout=120, trust_env=False) as api:
            until_it_answers(api, process, data / "log")
            signed_in = api.post("/api/v1/auths/signin", json={"email": "", "password": ""}).json()
            api.headers["authorization"] = f"Bearer {signed_in['token']}"
            yield OpenWebUi(url, api)
    finally:
        process.kill()
        process.wait()


def settings(data: Path, server: Server, llm: FakeLlm) -> dict[str, str]:
    """What a person enters under *Admin settings*, as environment variables."""
    tools = [
        {
            "type": "openapi",
            "url": server.url,
            "path": "tools/openapi.json",
            "info": {"id": "routes", "name": "routes"},
        },
        {"type": "mcp", "url": f"{server.url}/mcp", "path": "", "info": {"id": "mcp", "name": "mcp"}},
    ]
    shared = {"auth_type": "bearer", "key": server.token, "config": {"enable": True}}
    return {
        "DATA_DIR": str(data),
        "WEBUI_AUTH": "False",
        "WEBUI_SECRET_KEY": "a key of this test alone, long enough",
        "OFFLINE_MODE": "true",
        "HF_HUB_OFFLINE": "1",
        "ENABLE_OLLAMA_API": "false",
        "OPENAI_API_BASE_URLS": f"{server.url}/v1;{llm.base}",
        "OPENAI_API_KEYS": f"{server.token};none",
        "RAG_EMBEDDING_ENGINE": "openai",
        "RAG_EMBEDDING_MODEL": "hash",
        "RAG_OPENAI_API_BASE_URL": f"{server.url}/v1",
        "RAG_OPENAI_API_KEY": server.token,
        "RAG_EMBEDDING_PREFIX_FIELD_NAME": "input_type",
        "RAG_EMBEDDING_QUERY_PREFIX": "query",
        "RAG_EMBEDDING_CONTENT_PREFIX": "document",
        "ENABLE_WEB_SEARCH": "true",
        "WEB_SEARCH_ENGINE": "external",
        "EXTERNAL_WEB_SEARCH_URL": f"{server.url}/open-webui/search",
        "EXTERNAL_WEB_SEARCH_API_KEY": server.token,
        "BYPASS_WEB_SEARCH_WEB_LOADER": "true",
        "TOOL_SERVER_CONNECTIONS": json.dumps([{**each, **shared} for each in tools]),
    }


def until_it_answers(api: httpx2.Client, process: "subprocess.Popen[bytes]", log: Path) -> None:
    """Wait for its start, which takes a minute."""
    give_up = time.monotonic() + _START_SECONDS
    while True:
        assert process.poll() is None, log.read_text("utf-8")[-3000:]
        assert time.monotonic() < give_up, log.read_text("utf-8")[-3000:]
        try:
            api.get("/health").raise_for_status()
        except httpx2.HTTPError:
            time.sleep(0.5)
        else:
            return


def test_collections_are_models_and_answer_with_citations(web_ui: OpenWebUi, llm: FakeLlm) -> None:
    models = {each["id"] for each in web_ui.api.get("/api/models").json()["data"]}
    assert {"searchkit", "docs", MODEL} <= models
    llm.answers("The gauge shows two bar [1].")
    message = web_ui.chat("docs", QUESTION)["choices"][0]["message"]
    assert message["content"].startswith("The gauge shows two bar [1].")
    assert {each["url_citation"]["title"] for each in message["annotations"]} == TITLES


@pytest.mark.parametrize(("server_id", "tool"), [("server:routes", "search"), ("server:mcp:mcp", "mcp_search")])
def test_a_model_searches_by_tools(web_ui: OpenWebUi, llm: FakeLlm, server_id: str, tool: str) -> None:
    argument = "q" if tool == "search" else "query"
    call = {"name": tool, "parameters": {argument: "rest the dough overnight"}}
    llm.scripts = [whole(json.dumps({"tool_calls": [call]})), whole("Bake it hot.")]
    llm.asked.clear()
    answer = web_ui.chat(MODEL, "What about bread?", tool_ids=[server_id], params={"function_calling": "legacy"})
    assert answer["choices"][0]["message"]["content"] == "Bake it hot."
    assert tool in llm.prompt(0), "the tools are offered"
    assert "Knead the dough" in llm.prompt(), "the model is shown what was found"


def whole(text: str) -> Script:
    """A reply in one piece."""
    message = {"role": "assistant", "content": text}
    body = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
    return Script(raw=json.dumps(body).encode(), content_type="application/json")


def test_web_search_finds_passages(web_ui: OpenWebUi) -> None:
    found = web_ui.api.post("/api/v1/retrieval/process/web/search", json={"queries": [QUESTION]})
    assert found.status_code == 200, found.text
    items = found.json()["items"]
    assert {each["title"] for each in items} == TITLES
    assert {each["link"].rpartition("/docs/")[2] for each in items} == {
        "north/notes.txt#L1",
        "south/notes.txt#L1",
        "manual.md#L3",
    }


def test_its_own_documents_are_embedded_and_found(web_ui: OpenWebUi) -> None:
    heron = ("heron.txt", b"The grey heron waits by the weir every morning.\n", "text/plain")
    parameters = {"process": "true", "process_in_background": "false"}
    uploaded = web_ui.api.post("/api/v1/files/", files={"file": heron}, params=parameters).json()["id"]
    query = {"collection_name": f"file-{uploaded}", "query": "which bird waits by the weir", "k": 1}
    give_up = time.monotonic() + 60
    while (found := web_ui.api.post("/api/v1/retrieval/query/doc", json=query)).status_code != 200:
        assert time.monotonic() < give_up, found.text
        time.sleep(0.5)
    assert "grey heron" in found.json()["documents"][0][0]


@pytest.mark.browser
def test_each_chip_in_an_answer_opens_its_own_source(web_ui: OpenWebUi, llm: FakeLlm) -> None:
    llm.answers(ANSWER)
    with browser() as chromium, window(chromium, viewport={"width": 1280, "height": 820}, locale="en-US") as opened:
        page = opened.page
        page.goto(f"{web_ui.url}/?models=docs")
        page.get_by_text("Okay, Let").click()  # of what is new in this version
        page.click("#chat-input")
        page.keyboard.type(QUESTION)
        page.keyboard.press("Enter")
        chips = page.locator("[aria-label^='View source']")
        page.get_by_text("3 Sources").wait_for()
        cited = [web_ui_source(page, chips.nth(number)) for number in range(3)]
        assert set(cited) == TITLES
        listed = page.inner_text(".chat-assistant").rpartition("Sources:")[2].splitlines()
        paths = [line.rpartition("/docs/")[2].partition(":")[0] for line in listed if "/docs/" in line]
        assert [title_of(path) for path in paths] == cited, "chips have the numbers of the sources"
        assert opened.hosts == {web_ui.url.removeprefix("http://")}


def web_ui_source(page: Any, chip: Any) -> str:
    """The title of what a chip opens."""
    chip.click()
    dialog = page.get_by_role("dialog")
    title = str(dialog.inner_text()).splitlines()[0]
    dialog.get_by_label("Close citation modal").click()
    dialog.wait_for(state="detached")
    return title


def title_of(path: str) -> str:
    """The title of a source by the file's path."""
    folder, _, name = path.rpartition("/")
    return f"{name} ({folder})" if folder else f"{name}: Boiler"
