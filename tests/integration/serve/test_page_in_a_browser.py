"""The page in a real browser: typing, keys, pictures, answers, without JavaScript, on a telephone, in the dark."""

import time
from collections.abc import Iterator
from typing import Any

import pytest

from searchkit.library import Library
from tests.support.browser import Window, browser, window
from tests.support.fake_llm import FakeLlm
from tests.support.files import write
from tests.support.hash_embedder import HashEmbedder
from tests.support.serve_process import Server, serving
from tests.unit.ingest.extract.test_pdf import pdf

pytestmark = pytest.mark.browser

PLANTED = "<img src=x onerror=alert(1)><script>alert(2)</script>"
PHONE = {"width": 390, "height": 844}
DESK = {"width": 1360, "height": 860}


@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    with browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory, llm: FakeLlm) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("seen")
    docs = folder / "docs"
    write(docs / "roses.md", "# Roses\n\n## Pruning\n\nPrune the roses in March, above an outward bud.\n")
    write(docs / "bread.txt", "Knead the dough, let it rest overnight and bake it hot.\n")
    write(
        docs / f"kettle {PLANTED.replace('/', '_')}.md",
        f"# Kettle {PLANTED}\n\nFill the kettle {PLANTED} with water.\n",
    )
    (docs / "manual.pdf").write_bytes(
        pdf([["The pump fills the boiler."], ["Descale the boiler every", "three months."]])
    )
    with Library(folder / "home", embedder=HashEmbedder()) as library:
        library.index(docs, collection="docs")
    with serving(folder / "home", llm=llm.base, allows_indexing=True) as running:
        yield running


@pytest.fixture
def desk(chromium: Any, server: Server) -> Iterator[Window]:
    with window(chromium, viewport=DESK) as opened:
        opened.page.goto(f"{server.url}/?token={server.token}")
        yield opened
        assert opened.complaints == []
        assert opened.hosts == {server.url.removeprefix("http://")}


def search(page: Any, query: str) -> None:
    """Type a query, and wait for the document of its best hit."""
    page.keyboard.type(query)
    settle(page)


def settle(page: Any) -> None:
    """Wait for all hits of what stands in the box, and the document of the best."""
    until(page, "document.getElementById('results').dataset.asked === document.getElementById('q').value")
    best = "document.querySelector('#results .hit .to').getAttribute('href')"
    until(page, f"document.querySelector('#preview .open')?.getAttribute('href') === {best}")


def until(page: Any, condition: str) -> None:
    """Wait for a condition in JavaScript; playwright's own way needs `eval`, which the policy forbids."""
    give_up = time.monotonic() + 30
    while not page.evaluate(condition):
        assert time.monotonic() < give_up, condition
        page.wait_for_timeout(50)


def test_the_link_lets_in_and_leaves_no_token_behind(desk: Window, server: Server) -> None:
    assert desk.page.url == f"{server.url}/"
    assert desk.page.evaluate("document.cookie") == ""
    assert server.token not in desk.page.content()


def test_hits_come_as_one_types_and_the_best_is_shown_beside_them(desk: Window) -> None:
    search(desk.page, "prune the roses")
    assert desk.page.inner_text("#results .hit .name >> nth=0") == "roses.md"
    assert desk.page.locator("#results mark").count()
    assert "outward bud" in desk.page.inner_text("#preview #passage")
    assert "passage" in desk.page.inner_text("[role=status]")
    assert "q=prune+the+roses" in desk.page.url
    assert desk.page.title().startswith("prune the roses")


def test_all_of_it_can_be_done_by_keys(desk: Window, server: Server) -> None:
    page = desk.page
    assert page.evaluate("document.activeElement.id") == "q"
    search(page, "boiler dough roses")
    names = page.locator("#results .to")
    page.keyboard.press("ArrowDown")
    assert focused(page) == names.nth(0).get_attribute("href")
    page.keyboard.press("j")
    assert focused(page) == names.nth(1).get_attribute("href")
    page.keyboard.press("k")
    page.keyboard.press("k")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("ArrowDown")
    page.keyboard.press("?")
    assert page.locator("dialog").is_visible()
    page.keyboard.press("Escape")
    assert not page.locator("dialog").is_visible()
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.press("Escape")
    assert page.input_value("#q") == ""
    page.wait_for_selector("#preview", state="hidden")
    search(page, "roses in march")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    page.wait_for_url(f"{server.url}/ui/read/**")
    assert "outward bud" in page.inner_text("#passage")


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.getAttribute('href')"))


def test_filters_apply_at_once_and_are_cleared_at_once(desk: Window) -> None:
    page = desk.page
    search(page, "boiler dough roses")
    page.select_option("select[name=type]", "pdf")
    until(page, "[...document.querySelectorAll('.hit .name')].every(name => name.textContent === 'manual.pdf')")
    assert "type=pdf" in page.url
    page.click("#clear")
    until(page, "[...document.querySelectorAll('.hit .name')].some(name => name.textContent === 'roses.md')")
    assert "type" not in page.url
    assert page.input_value("#q") == "boiler dough roses"


def test_a_page_of_a_pdf_is_seen(desk: Window) -> None:
    search(desk.page, "descale the boiler every three months")
    until(desk.page, "document.querySelector('#preview .page img').naturalWidth > 500")
    assert not desk.page.locator("#preview .as-text").evaluate("each => each.open")


def test_an_answer_is_written_with_its_sources_and_goes_on(desk: Window, server: Server, llm: FakeLlm) -> None:
    page = desk.page
    llm.answers("Prune the roses in March [1].")
    page.click("nav >> text=Ask")
    page.fill("#question", "When are the roses pruned?")
    page.keyboard.press("Enter")
    page.wait_for_selector(".turn .sources")
    assert page.inner_text(".answer").startswith("Prune the roses in March")
    llm.answers("above which bud are the roses pruned", "Above an outward bud [1].")
    page.keyboard.type("and above which bud?")
    page.keyboard.press("Enter")
    until(page, "document.querySelectorAll('.turn .sources').length === 2")
    assert page.locator("input[name=asked]").count() == 2
    page.click(".cite >> nth=0")
    page.wait_for_url(f"{server.url}/ui/read/**")
    assert "outward bud" in page.inner_text("#passage")


def test_names_and_texts_of_files_are_only_text(desk: Window) -> None:
    search(desk.page, "fill the kettle with water")
    assert "onerror" in desk.page.inner_text("#results .name >> nth=0")
    assert desk.page.locator("#results img, #preview img").count() == 0
    desk.page.goto(desk.page.url)
    desk.page.wait_for_selector("#preview .document")


def test_the_policy_is_obeyed(desk: Window) -> None:
    desk.page.evaluate("document.body.insertAdjacentHTML('beforeend', '<img src=https://evil.example/x.png>')")
    desk.page.wait_for_timeout(200)
    assert any("Content Security Policy" in each for each in desk.complaints)
    desk.complaints.clear()
    desk.hosts.discard("evil.example")


def test_collections_are_brought_up_to_date(desk: Window) -> None:
    desk.page.click("nav >> text=Collections")
    desk.page.click("text=Update")
    until(desk.page, "document.querySelector('.state').textContent === 'up to date'")


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_without_javascript_all_of_it_works_by_links_and_forms(
    chromium: Any, server: Server, llm: FakeLlm, size: dict[str, int]
) -> None:
    llm.answers("Prune the roses in March [1].")
    with window(chromium, java_script_enabled=False, viewport=size) as opened:
        page = opened.page
        page.goto(server.url)
        page.fill("#token", server.token)
        page.click("button")
        page.fill("#q", "prune the roses")
        page.keyboard.press("Enter")
        page.click("#results .to >> nth=0")
        assert "outward bud" in page.inner_text("#passage")
        page.click("nav >> text=Ask")
        page.fill("#question", "When are the roses pruned?")
        page.click("#ask-button")
        assert "Prune the roses" in page.inner_text(".answer")
        page.click("nav >> text=Collections")
        page.click("text=Forget this browser")
        page.goto(server.url)
        assert page.locator("#token").count() == 1
        assert opened.hosts == {server.url.removeprefix("http://")}


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_telephone_needs_no_scrolling_sideways(chromium: Any, server: Server, scheme: str) -> None:
    with window(chromium, viewport=PHONE, color_scheme=scheme) as opened:
        page = opened.page
        page.goto(f"{server.url}/?token={server.token}")
        shades = set()
        for path in ("/", "/?q=kettle+roses+boiler", "/ui/ask", "/ui/collections", "/ui/help"):
            page.goto(server.url + path)
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], path
            assert page.locator("#new-conversation").is_hidden()
            shades.add(page.evaluate("getComputedStyle(document.body).backgroundColor"))
        page.goto(f"{server.url}/?q=descale+the+boiler")
        page.click("#results .to >> nth=0")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        (shade,) = shades
        assert (int(shade[4:].split(",")[0]) < 60) == (scheme == "dark")
        assert opened.complaints == []
