"""Names of models as clients write them, and addresses of sources."""

from pathlib import Path

import pytest

from searchkit.config import ServeSettings, load_settings, save_settings
from searchkit.errors import ConfigError, ModelNotFoundError, UsageError
from searchkit.home import Home
from searchkit.serve.addresses import addresses_of, titles_of
from searchkit.serve.model_names import chat_model, installed_name, name_and_kind, unaliased
from searchkit.serve.references import Reference
from searchkit.serve.search import ReferencedHit
from searchkit.types import Evidence, Hit

INSTALLED = ["all-minilm-l6-v2", "embeddinggemma-300m", "Mine"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("embeddinggemma-300m", "embeddinggemma-300m"),
        ("EmbeddingGemma-300M", "embeddinggemma-300m"),
        ("embeddinggemma", "embeddinggemma-300m"),
        ("embeddinggemma:300m", "embeddinggemma-300m"),
        ("google/embeddinggemma-300m", "embeddinggemma-300m"),
        ("sentence-transformers/all-MiniLM-L6-v2", "all-minilm-l6-v2"),
        ("all-minilm", "all-minilm-l6-v2"),
        ("all-minilm:33m", "all-minilm:33m"),
        ("mine", "Mine"),
        ("embeddinggemma-2", "embeddinggemma-2"),
        ("text-embedding-3-small", "text-embedding-3-small"),
    ],
)
def test_a_model_has_the_names_that_the_ecosystem_gives_it(written: str, meant: str) -> None:
    assert installed_name(written, INSTALLED) == meant


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("embeddinggemma:latest", ("embeddinggemma", "document")),
        ("embeddinggemma:300m:query", ("embeddinggemma:300m", "query")),
        ("hash:QUERY", ("hash", "query")),
        ("hash", ("hash", "document")),
    ],
)
def test_a_name_may_choose_the_prompt(written: str, meant: tuple[str, str]) -> None:
    assert name_and_kind(written) == meant


def test_an_input_type_wins_over_the_name() -> None:
    assert name_and_kind("hash:query", "search_document") == ("hash", "document")
    with pytest.raises(UsageError, match="no input_type 'poem'"):
        name_and_kind("hash", "poem")


def test_an_alias_stands_for_another_name_in_capitals_or_not() -> None:
    aliases = {"GPT-4o": "docs"}
    assert unaliased("gpt-4o:latest", aliases) == "docs"
    assert unaliased("docs", aliases) == "docs"


def test_a_collection_chats_under_its_name_alone_or_behind_ours() -> None:
    assert chat_model("SEARCHKIT", ["Docs"]) == "searchkit"
    assert chat_model("docs", ["Docs"]) == "Docs"
    assert chat_model("searchkit/docs", ["Docs"]) == "searchkit/Docs"
    assert chat_model("searchkit/mine", ["Mine"], ["Mine"]) == "searchkit/Mine"
    with pytest.raises(UsageError, match="embeds texts"):
        chat_model("embeddinggemma", ["docs"], INSTALLED)
    with pytest.raises(ModelNotFoundError, match="no chat model 'gpt'"):
        chat_model("gpt", ["docs"], INSTALLED)


def test_aliases_are_read_checked_and_written(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('[serve.aliases]\n"gpt-4.1" = "docs"\ntext-embedding-3-small = "hash"\n')
    settings = load_settings(Home(tmp_path))
    assert settings.serve == ServeSettings(aliases={"gpt-4.1": "docs", "text-embedding-3-small": "hash"})
    save_settings(Home(tmp_path), settings)
    assert load_settings(Home(tmp_path)) == settings
    (tmp_path / "config.toml").write_text("[serve.aliases]\ngpt = 4\n")
    with pytest.raises(ConfigError, match="aliases must be a table of texts"):
        load_settings(Home(tmp_path))


def _hit(name: str, page: int | None = None, lines: tuple[int, int] | None = None, place: str = "") -> Hit:
    first, last = lines or (None, None)
    path = Path("/docs") / name
    return Hit("docs", path, "", page, first, last, 0.9, "x", "x", (), Evidence(None, None, ()), place=place)


def test_every_source_has_an_address_of_its_own() -> None:
    hits = [
        _hit("a.pdf", page=3),
        _hit("a.pdf", page=3),
        _hit("a.pdf", page=4),
        _hit("n.md", lines=(21, 40)),
        _hit("n.md", lines=(21, 28)),
        _hit("n.md", lines=(50, 60)),
        _hit("s.pptx", place="slide 3"),
        _hit("b c.txt"),
        _hit("b c.txt"),
    ]
    assert [url.removeprefix("file:///docs/") for url in addresses_of(hits)] == [
        "a.pdf#page=3",
        "a.pdf#page=3&part=2",
        "a.pdf#page=4",
        "n.md#L21-L40",
        "n.md#L21-L28",
        "n.md#L50",
        "s.pptx#slide%203",
        "b%20c.txt",
        "b%20c.txt#part=2",
    ]


def test_every_source_has_a_title_of_its_own() -> None:
    hits = [
        _hit("a.pdf", page=3),
        _hit("a.pdf", page=4),
        _hit("north/notes.txt", lines=(1, 4)),
        _hit("south/notes.txt", lines=(1, 4)),
        _hit("south/notes.txt", lines=(9, 12)),
        _hit("b.txt"),
        _hit("b.txt"),
        _hit("c.md", lines=(1, 4)),
        _hit("c.md", lines=(5, 8)),
    ]
    assert titles_of([ReferencedHit(each, Reference("", "")) for each in hits]) == [
        "a.pdf, page 3",
        "a.pdf, page 4",
        "notes.txt (north)",
        "notes.txt (south), line 1",
        "notes.txt (south), line 9",
        "b.txt (6)",
        "b.txt (7)",
        "c.md, line 1",
        "c.md, line 5",
    ]
    assert titles_of([]) == []
