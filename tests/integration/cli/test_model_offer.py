"""On a terminal, `index` asks once whether to fetch a model where there is none; words are indexed in any case."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from searchkit.embedding.known_models import RECOMMENDED, recommended
from searchkit.library import Library
from searchkit.types import SearchMode
from tests.integration.test_without_a_model import NO_MODEL
from tests.support.loopback_hub import LoopbackHub, Repository, loopback_hub
from tests.support.terminal import on_a_terminal

pytestmark = pytest.mark.slow

ASKED = f"Words can be searched already. Fetch {RECOMMENDED} (Apache-2.0, 656 MB, no account)"
ADVICE = "searchkit models pull"
CHECKPOINT = """
import sys
from searchkit.embedding.store import bundled_checkpoint
print(bundled_checkpoint() or "")
"""


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    """A data directory without a model, a hub that nobody serves, and a person who is no script."""
    unset = ("CI", "HF_TOKEN", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "SEARCHKIT_OFFLINE", "SEARCHKIT_MODEL")
    own = {"SEARCHKIT_HOME": str(tmp_path / "home"), "HF_HOME": str(tmp_path / "hf"), "NO_PROXY": "127.0.0.1"}
    own |= {"HF_ENDPOINT": "http://127.0.0.1:9", "COLUMNS": "200"}
    return {name: value for name, value in os.environ.items() if name not in unset} | own


@pytest.fixture
def hub(environment: dict[str, str]) -> Iterator[LoopbackHub]:
    """A hub that has a model under the recommended one's name: the small one, which is quick to convert."""
    found = subprocess.run(
        [sys.executable, "-c", CHECKPOINT], capture_output=True, text=True, check=True
    ).stdout.strip()
    with loopback_hub() as served:
        served.repositories[recommended().repository] = Repository(Path(found))
        environment["HF_ENDPOINT"] = served.endpoint
        yield served


def screen_of(environment: dict[str, str], *arguments: str | Path, answer: str = "", code: int = 0) -> str:
    """Run the command where a person sits; returns all that is on the screen. `answer`: typed once the question is there."""
    command = [sys.executable, "-c", NO_MODEL, *map(str, arguments)]
    ended, screen = on_a_terminal(command, environment, answer=answer, at="[Y/n]")
    assert ended == code, screen
    return screen.replace("\r\n", "\n")


def test_a_no_is_remembered_and_words_are_indexed(environment: dict[str, str], docs: Path) -> None:
    screen = screen_of(environment, "index", docs, answer="n\n")
    assert screen.index("found by their words") < screen.index(ASKED)
    assert screen.rstrip().endswith(ADVICE)
    again = screen_of(environment, "index", docs)
    assert ASKED not in again
    assert again.rstrip().endswith(ADVICE)
    with Library(environment["SEARCHKIT_HOME"]) as library:
        assert library.search("dough", mode=SearchMode.LEXICAL)[0].path.name == "bread.txt"


@pytest.mark.minilm
def test_a_yes_fetches_the_model_and_the_same_run_embeds(
    environment: dict[str, str], hub: LoopbackHub, docs: Path, tmp_path: Path
) -> None:
    screen = screen_of(environment, "index", docs, answer="\n")
    assert screen.index("found by their words") < screen.index(ASKED) < screen.index(f"Pulled {RECOMMENDED} from")
    assert ": 3 passages embedded" in screen
    assert "No model is installed" not in screen
    assert hub.listed == [f"{recommended().repository}/{recommended().revision}"]
    with Library(tmp_path / "home") as library:
        assert library.collection("docs").model() == RECOMMENDED
        assert library.search("central heating", k=1, mode=SearchMode.SEMANTIC)[0].path.name == "boiler.md"


def test_a_yes_without_a_network_says_so_leaves_words_and_is_asked_again(
    environment: dict[str, str], docs: Path
) -> None:
    screen = screen_of(environment, "index", docs, answer="y\n")
    assert "Nothing was kept." in screen
    assert screen.rstrip().endswith("passages are found by their words. The next run asks again.")
    assert ASKED in screen_of(environment, "index", docs, answer="n\n")


@pytest.mark.parametrize("reason", ["json", "CI", "SEARCHKIT_OFFLINE"])
def test_scripts_are_not_asked(environment: dict[str, str], docs: Path, tmp_path: Path, reason: str) -> None:
    if reason == "json":
        assert ASKED not in screen_of(environment, "index", docs, "--json")
    else:
        assert ASKED not in screen_of({**environment, reason: "1"}, "index", docs)
    assert not (tmp_path / "home" / "model-offer").exists()


def test_a_pipe_is_not_asked(environment: dict[str, str], docs: Path) -> None:
    command = [sys.executable, "-c", NO_MODEL, "index", str(docs)]
    done = subprocess.run(command, input="y\n", capture_output=True, text=True, check=True, env=environment)
    assert ASKED not in done.stderr
    assert done.stderr.rstrip().endswith(ADVICE)


def test_who_breaks_off_at_the_question_keeps_the_words_and_is_asked_again(
    environment: dict[str, str], docs: Path, tmp_path: Path
) -> None:
    screen = screen_of(environment, "index", docs, answer="\x04", code=130)
    assert "Stopped. What was stored is kept" in screen
    assert not (tmp_path / "home" / "model-offer").exists()
    assert ASKED in screen_of(environment, "index", docs, answer="n\n")
