"""Pulling models from a hub on loopback: what is fetched, what is refused and how, and what survives a bad connection."""

import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from http import HTTPStatus
from pathlib import Path

import huggingface_hub
import numpy as np
import pytest
from filelock import FileLock

from searchkit.display import error_text
from searchkit.embedding.hub import Hub
from searchkit.embedding.known_models import KNOWN, RECOMMENDED, recommended
from searchkit.embedding.model_folder import ModelCard
from searchkit.embedding.model_info import Quantization
from searchkit.embedding.pull import PullRequest, pull_model, repository_of
from searchkit.embedding.store import ModelStore, bundled_checkpoint, default_name
from searchkit.errors import HubError, ModelError, SearchkitError, UnsupportedCheckpointError, UsageError
from searchkit.reports import Progress
from searchkit.types import Passage
from tests.integration.test_command import NO_NETWORK
from tests.support.errors import refused
from tests.support.files import EMBEDDINGGEMMA, write
from tests.support.loopback_hub import COMMIT, TOKEN, LoopbackHub, Repository, loopback_hub

pytestmark = pytest.mark.slow

MINILM = "all-minilm-l6-v2"
WEIGHTS = "model.safetensors"
WEIGHTS_BYTES = 3_000_000
SETTINGS = ("config_sentence_transformers.json", "sentence_bert_config.json")
MakeCheckpoint = Callable[..., Path]
Serve = Callable[[Repository], LoopbackHub]


@pytest.fixture(autouse=True)
def no_settings_of_the_user(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """No token, no proxy and no hub but the test's own."""
    for name in ("HF_TOKEN", "HF_TOKEN_PATH", "HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "SEARCHKIT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("huggingface_hub.constants.HF_TOKEN_PATH", str(tmp_path / "token"))
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield
    huggingface_hub.close_session()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """An empty data directory."""
    return tmp_path / "home"


@pytest.fixture
def checkpoint(tmp_path: Path) -> MakeCheckpoint:
    """Makes a repository's folder that looks like a model of the BERT family; its weights are noise."""

    def made(config: str = '{"model_type": "bert"}', pooling: str = '{"pooling_mode_mean_tokens": true}') -> Path:
        folder = tmp_path / "repository"
        modules = [("", "Transformer"), ("1_Pooling", "Pooling")]
        write(folder / "config.json", config)
        write(folder / "modules.json", json.dumps([{"path": path, "type": f"x.{kind}"} for path, kind in modules]))
        write(folder / "1_Pooling" / "config.json", pooling)
        write(folder / "README.md", "---\nlicense: mit\n---\n")
        write(folder / "tokenizer.json", "{}")
        write(folder / "pytorch_model.bin", "pickled")
        write(folder / "onnx" / "model.onnx", "a graph")
        (folder / WEIGHTS).write_bytes(random.Random(0).randbytes(WEIGHTS_BYTES))
        return folder

    return made


@pytest.fixture
def serve(monkeypatch: pytest.MonkeyPatch) -> Iterator[Serve]:
    """Serves a repository as anna/model."""
    with loopback_hub() as hub:

        def started(repository: Repository) -> LoopbackHub:
            hub.repositories["anna/model"] = repository
            monkeypatch.setenv("HF_ENDPOINT", hub.endpoint)
            return hub

        yield started


@pytest.fixture
def minilm(serve: Serve) -> LoopbackHub:
    """A hub that has the small model."""
    folder = bundled_checkpoint()
    assert folder is not None
    hub = serve(Repository(folder))
    hub.repositories["sentence-transformers/all-MiniLM-L6-v2"] = hub.repositories["anna/model"]
    return hub


def pull(home: Path, model: str = "anna/model", **options: object) -> ModelCard:
    """Pull without pauses before the two further tries."""
    request = PullRequest(model, **options)  # type: ignore[arg-type]
    return pull_model(ModelStore(home / "models"), home / "downloads", request, hub=Hub(pauses_seconds=(0, 0)))


def left_over(home: Path) -> list[str]:
    """Files of downloads that are still there."""
    return sorted(path.name for path in (home / "downloads").rglob("*") if path.is_file() and path.stat().st_size)


@pytest.mark.minilm
def test_a_pulled_model_answers_and_its_download_is_deleted(
    home: Path, minilm: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    card = pull(home, MINILM)
    assert (card.name, card.quantization, card.licence) == (MINILM, Quantization.INT8, "apache-2.0")
    assert card.source["repository"] == "sentence-transformers/all-MiniLM-L6-v2"
    assert card.source["revision"] == COMMIT
    store = ModelStore(home / "models")
    assert store.installed() == [card]
    assert store.verify(MINILM).problems == ()
    model = store.open(MINILM)
    query = model.embed_queries(["remedies for insomnia"])[0]
    near, far = model.embed_documents([Passage("", "how I slept better"), Passage("", "the boiler is too hot")])
    assert query @ near > query @ far
    assert left_over(home) == []


@pytest.mark.minilm
def test_only_what_is_needed_is_fetched_once_and_the_token_stays_with_the_hub(
    home: Path, minilm: LoopbackHub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    pull(home)
    small = {*SETTINGS, "README.md", "config.json", "modules.json", "tokenizer_config.json"}
    assert sorted(request.file for request in minilm.requests) == sorted(
        {*small, "1_Pooling/config.json", "tokenizer.json", WEIGHTS}
    )
    assert {request.token for request in minilm.requests if request.file in small} == {TOKEN}
    assert {request.token for request in minilm.fetched(WEIGHTS)} == {""}
    assert minilm.agents == {"searchkit"}


@pytest.mark.minilm
def test_name_quantization_and_revision_can_be_chosen(home: Path, minilm: LoopbackHub) -> None:
    card = pull(home, MINILM, quantization=Quantization.FP32, revision="main")
    assert (card.name, card.quantization) == (f"{MINILM}-fp32", Quantization.FP32)
    assert pull(home, MINILM, name="small").name == "small"
    assert [card.name for card in ModelStore(home / "models").installed()] == [f"{MINILM}-fp32", "small"]


@pytest.mark.minilm
def test_a_broken_connection_is_resumed_where_it_broke(home: Path, minilm: LoopbackHub) -> None:
    repository = minilm.repositories["anna/model"]
    repository.breaks[WEIGHTS] = [20_000_000, 20_000_000, 70_000_001]
    pull(home)
    assert [request.begin for request in minilm.fetched(WEIGHTS)] == [0, 20_000_000, 20_000_000, 70_000_001]
    assert minilm.sent_bytes(WEIGHTS) == repository.files[WEIGHTS].stat().st_size


@pytest.mark.minilm
def test_a_pull_that_gave_up_is_completed_by_the_next(home: Path, minilm: LoopbackHub) -> None:
    repository = minilm.repositories["anna/model"]
    repository.dead_end[WEIGHTS] = 50_000_000
    with pytest.raises(HubError, match=r"failed: .* 50\.\d MB of it are kept; the same command resumes it\."):
        pull(home)
    assert [request.begin for request in minilm.fetched(WEIGHTS)] == [0, 50_000_000, 50_000_000]
    assert ModelStore(home / "models").installed() == []
    assert (home / "models").exists() is False
    repository.dead_end.clear()
    pull(home)
    assert minilm.fetched(WEIGHTS)[-1].begin == 50_000_000
    assert minilm.sent_bytes(WEIGHTS) == repository.files[WEIGHTS].stat().st_size
    assert len(minilm.fetched("tokenizer.json")) == 1
    assert left_over(home) == []


def test_an_interrupted_pull_keeps_what_it_has(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    hub = serve(Repository(checkpoint()))

    def interrupt(progress: Progress) -> None:
        if progress.done:
            raise KeyboardInterrupt

    request = PullRequest("anna/model")
    with pytest.raises(KeyboardInterrupt):
        pull_model(ModelStore(home / "models"), home / "downloads", request, on_progress=interrupt)
    assert any(name.startswith(WEIGHTS) and name.endswith(".part") for name in left_over(home))
    with pytest.raises(UnsupportedCheckpointError, match="damaged"):
        pull(home)
    first, second = hub.fetched(WEIGHTS)
    assert first.begin == 0
    assert second.begin > 0


def test_a_part_of_another_revision_is_not_continued(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    repository = Repository(checkpoint(), dead_end={WEIGHTS: 1_000_000})
    hub = serve(repository)
    with pytest.raises(HubError, match="failed"):
        pull(home)
    hub.requests.clear()
    repository.dead_end.clear()
    (repository.folder / WEIGHTS).write_bytes(random.Random(1).randbytes(WEIGHTS_BYTES))
    write(repository.folder / "README.md", "---\nlicense: apache-2.0\n---\n")
    with pytest.raises(UnsupportedCheckpointError, match="damaged"):
        pull(home)
    assert [request.begin for request in hub.fetched(WEIGHTS)] == [0]
    assert len(hub.fetched("README.md")) == 1
    assert hub.fetched("config.json") == []


@pytest.mark.parametrize("file", ["config.json", WEIGHTS])
def test_a_file_with_a_wrong_checksum_is_refused_and_deleted(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint, file: str
) -> None:
    serve(Repository(checkpoint(), changed={file}))
    with pytest.raises(HubError, match=f"{file} of anna/model arrived with another checksum"):
        pull(home)
    assert not any(name.startswith(file) for name in left_over(home) if "1_Pooling" not in name)
    assert ModelStore(home / "models").installed() == []


def test_weights_that_are_none_are_refused_and_not_kept(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    serve(Repository(checkpoint()))
    with pytest.raises(UnsupportedCheckpointError, match="damaged or cut short"):
        pull(home)
    assert left_over(home) == []
    assert list((home / "downloads").iterdir()) == []


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("", r"Accept them at http://127.0.0.1:\d+/anna/model, then set HF_TOKEN to a token of yours"),
        ("hf_other", r"Your token gives no access to anna/model. .*The hub says: Access to model anna/model is"),
        ("hf_wrong", r"does not accept your token.*Invalid credentials"),
    ],
)
def test_a_gated_model_is_explained(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch, token: str, message: str
) -> None:
    hub = serve(Repository(checkpoint(), gated=True, readers=(TOKEN,)))
    monkeypatch.setenv("HF_TOKEN", token)
    with refused(HubError, message) as caught:
        pull(home)
    if "does not accept" not in message:
        assert f"take {RECOMMENDED}, which needs no account: searchkit models pull" in error_text(caught.value)
    assert hub.requests == []
    assert list((home / "downloads").iterdir()) == []


@pytest.mark.parametrize("stored", [True, False])
def test_a_gated_model_is_fetched_with_a_token_that_may(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch, stored: bool
) -> None:
    hub = serve(Repository(checkpoint(), gated=True, readers=(TOKEN,)))
    if stored:
        write(home.parent / "token", TOKEN)
    else:
        monkeypatch.setenv("HF_TOKEN", TOKEN)
    with pytest.raises(UnsupportedCheckpointError, match="damaged"):
        pull(home)
    assert hub.sent_bytes(WEIGHTS) == WEIGHTS_BYTES


@pytest.mark.parametrize(
    ("variable", "reason"),
    [
        ("", "the network was not to be used"),
        ("SEARCHKIT_OFFLINE", "SEARCHKIT_OFFLINE forbids it"),
        ("HF_HUB_OFFLINE", "HF_HUB_OFFLINE forbids it"),
    ],
)
def test_offline_opens_no_socket(home: Path, monkeypatch: pytest.MonkeyPatch, variable: str, reason: str) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was touched")

    monkeypatch.setattr(socket, "socket", refuse)
    if variable:
        monkeypatch.setenv(variable, "1")
    with refused(HubError, rf"{reason}\. .*searchkit models import FOLDER"):
        pull_model(ModelStore(home / "models"), home / "downloads", PullRequest("anna/model", offline=not variable))
    assert not home.exists()


@pytest.mark.parametrize(
    ("file", "content", "reason"),
    [
        (WEIGHTS, "", "only pickled weights, which can run code"),
        ("tokenizer.json", "", "anna/model contains no tokenizer.json"),
        ("config.json", "", "not a sentence-transformers checkpoint"),
        (
            "config.json",
            '{"model_type": "mpnet"}',
            "is a mpnet model; .*gemma3_text, embedding_gemma2_text, modernbert",
        ),
        ("config.json", "[]", "does not contain a JSON object"),
        ("modules.json", '{"a": 1}', "no list of modules"),
        ("modules.json", '[{"path": "../x", "type": "Dense"}]', "outside the checkpoint"),
        ("modules.json", '[{"path": "2_LSTM", "type": "x.LSTM"}]', "LSTM module"),
        ("modules.json", '[{"path": "2_D", "type": "x.Dense"}]', "contains no 2_D/config.json"),
        ("1_Pooling/config.json", '{"pooling_mode_max_tokens": true}', "pools by max_tokens"),
        ("config_sentence_transformers.json", '{"prompts": "query"}', "prompts are no table"),
    ],
)
def test_what_cannot_work_is_refused_before_any_weight_is_fetched(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint, file: str, content: str, reason: str
) -> None:
    folder = checkpoint()
    if content:
        write(folder / file, content)
    else:
        (folder / file).unlink()
    hub = serve(Repository(folder))
    with pytest.raises(UnsupportedCheckpointError, match=reason):
        pull(home)
    assert {Path(request.file).suffix for request in hub.requests} <= {".json", ".md"}
    assert list((home / "downloads").iterdir()) == []


def test_a_repository_without_weights_is_refused(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    folder = checkpoint()
    (folder / WEIGHTS).unlink()
    (folder / "pytorch_model.bin").unlink()
    hub = serve(Repository(folder))
    with pytest.raises(
        UnsupportedCheckpointError, match=r"anna/model contains no weights. searchkit reads \*.safetensors"
    ):
        pull(home)
    assert hub.requests == []


def test_pickled_weights_of_a_module_are_refused_before_any_weight_is_fetched(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint
) -> None:
    folder = checkpoint()
    write(folder / "modules.json", '[{"path": "", "type": "x.Transformer"}, {"path": "2_Dense", "type": "x.Dense"}]')
    write(folder / "2_Dense" / "config.json", '{"activation_function": "torch.nn.Identity"}')
    write(folder / "2_Dense" / "pytorch_model.bin", "pickled")
    hub = serve(Repository(folder))
    with pytest.raises(UnsupportedCheckpointError, match="only pickled weights in 2_Dense, which can run code"):
        pull(home)
    assert hub.fetched(WEIGHTS) == []


def test_an_unknown_repository_or_revision_is_explained(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    hub = serve(Repository(checkpoint()))
    with pytest.raises(HubError, match="anna/model has no revision 'v9'"):
        pull(home, revision="v9")
    for token in ("", TOKEN):
        monkeypatch.setenv("HF_TOKEN", token)
        with pytest.raises(HubError, match=f"There is no {hub.endpoint}/anna/modell, or it is private"):
            pull(home, "anna/modell")
    assert list((home / "downloads").iterdir()) == []


def test_a_hub_out_of_reach_or_out_of_order_is_explained(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    with refused(
        HubError, r"The connection to http://127.0.0.1:9 failed: .*\. Nothing was kept\. .*models import FOLDER"
    ):
        pull(home)
    assert list((home / "downloads").iterdir()) == []
    hub = serve(Repository(checkpoint()))
    hub.answers += [HTTPStatus.SERVICE_UNAVAILABLE] * 2
    with refused(HubError, r"cannot serve this at the moment \(status 503\)\. Nothing was kept\. .*Try again later"):
        pull(home)
    hub.answers += [HTTPStatus.FORBIDDEN]
    with pytest.raises(HubError, match=r"refuses anna/model \(status 403\)"):
        pull(home)
    hub.answers += [HTTPStatus.OK]  # with nothing behind it, as from the login page of a network
    with pytest.raises(HubError, match="does not answer like a model hub"):
        pull(home)
    hub.answers += [HTTPStatus.BAD_GATEWAY]
    with pytest.raises(UnsupportedCheckpointError, match="damaged"):  # and so it was fetched
        pull(home)
    monkeypatch.setenv("HF_ENDPOINT", "hub.example")
    with pytest.raises(HubError, match=r"'hub.example', which is not an address"):
        pull(home)


def test_a_taken_or_impossible_name_is_refused_before_anything_is_asked(
    home: Path, serve: Serve, checkpoint: MakeCheckpoint
) -> None:
    hub = serve(Repository(checkpoint()))
    (home / "models" / "model").mkdir(parents=True)
    with refused(ModelError, r"'model' is installed already. Remove it: .*models remove model.*--name NAME"):
        pull(home)
    with pytest.raises(ModelError, match="cannot be a model's name"):
        pull(home, name="../evil")
    assert hub.agents == set()


def test_too_little_room_is_told_before_the_download(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    hub = serve(Repository(checkpoint(), claimed_bytes={WEIGHTS: 10**18}))
    with pytest.raises(HubError, match=r"need 1500000000.0 GB, but only .* are free"):
        pull(home)
    assert hub.fetched(WEIGHTS) == []


def test_one_process_at_a_time_pulls_a_model(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    serve(Repository(checkpoint()))
    folder = home / "downloads" / "anna--model"
    folder.mkdir(parents=True)
    with FileLock(folder / ".lock"), pytest.raises(HubError, match="Another process is pulling anna/model"):
        pull(home)


def test_progress_is_told_in_megabytes(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    serve(Repository(checkpoint()))
    told: list[Progress] = []
    request = PullRequest("anna/model")
    with pytest.raises(UnsupportedCheckpointError):
        pull_model(ModelStore(home / "models"), home / "downloads", request, on_progress=told.append)
    *downloading, converting = told
    assert {(progress.stage, progress.total, progress.unit) for progress in downloading} == {("Downloading", 3, "MB")}
    assert sorted(progress.done for progress in downloading) == [progress.done for progress in downloading]
    assert downloading[-1].done == 3
    assert converting.stage == "Converting"


def test_short_names_and_repositories_are_told_apart_from_nonsense() -> None:
    assert repository_of("") == recommended().repository
    assert repository_of("EmbeddingGemma-300m") == "google/embeddinggemma-300m"
    assert repository_of("BAAI/bge-small-en-v1.5") == "BAAI/bge-small-en-v1.5"
    for address in ("https://huggingface.co/BAAI/bge-small-en-v1.5", "https://hf.co/BAAI/bge-small-en-v1.5/tree/main"):
        assert repository_of(address) == "BAAI/bge-small-en-v1.5"
    for nonsense in ("gpt", "a/b/c", "../x", "a/..", "/a", "a/", "a b/c", "https://hub.example/a/b", "ä/b"):
        with refused(UsageError, f"Give its OWNER/NAME there, or a short name: {RECOMMENDED}, embeddinggemma-2, "):
            repository_of(nonsense)


def test_every_known_model_has_a_name_of_its_own_and_a_commit() -> None:
    assert len({model.name for model in KNOWN}) == len({model.repository.lower() for model in KNOWN}) == len(KNOWN)
    for model in KNOWN:
        assert model.name == default_name(model.repository.split("/")[1], Quantization.INT8)
        assert re.fullmatch("[0-9a-f]{40}", model.revision)
        assert repository_of(model.name) == repository_of(model.repository.upper()) == model.repository
    assert not recommended().gated
    assert [model.name for model in KNOWN if model.gated] == ["embeddinggemma-300m"]


@pytest.mark.minilm
def test_without_a_name_the_recommended_model_is_pulled_at_its_known_commit(home: Path, minilm: LoopbackHub) -> None:
    known = recommended()
    minilm.repositories[known.repository] = minilm.repositories["anna/model"]
    card = pull(home, "")
    assert (card.name, card.source["repository"]) == (RECOMMENDED, known.repository)
    assert minilm.listed == [f"{known.repository}/{known.revision}"]
    assert ModelStore(home / "models").best() == RECOMMENDED


@pytest.mark.minilm
def test_the_command_pulls_the_recommended_model_and_lists_what_there_is(home: Path, minilm: LoopbackHub) -> None:
    minilm.repositories[recommended().repository] = minilm.repositories["anna/model"]
    listed = searchkit(home, "models", "list", "--available")
    assert f"* {RECOMMENDED}\n    Apache-2.0, no account; download 656 MB\n" in listed.stdout
    assert "Gemma terms, account and accepted terms needed; download 1.2 GB" in listed.stdout
    assert f"New collections use {RECOMMENDED}.\n" in searchkit(home, "models", "pull").stderr
    assert searchkit(home, "models", "pull").stderr == f"{RECOMMENDED} is installed already.\n"
    rows = [json.loads(line) for line in searchkit(home, "models", "list", "--available", "--json").stdout.splitlines()]
    assert [row["name"] for row in rows] == [model.name for model in KNOWN]
    assert [row["name"] for row in rows if row["recommended"]] == [RECOMMENDED]
    assert RECOMMENDED in [row["name"] for row in rows if row["installed"]]


def searchkit(home: Path, *arguments: str | Path, code: int = 0, prelude: str = "") -> subprocess.CompletedProcess[str]:
    """The command in a process of its own."""
    start = prelude or "from searchkit.cli.main import main; main()"
    environment = {**os.environ, "SEARCHKIT_HOME": str(home)}
    command = [sys.executable, "-c", start, *map(str, arguments)]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert result.returncode == code, result.stderr
    assert "Traceback" not in result.stderr
    return result


@pytest.mark.minilm
def test_the_command_pulls_and_the_model_is_used(home: Path, minilm: LoopbackHub, docs: Path) -> None:
    pulled = searchkit(home, "models", "pull", MINILM, "--name", "small")
    assert pulled.stdout == ""
    first, second = [line for line in pulled.stderr.splitlines() if not line.startswith(("Downloading", "Converting"))]
    assert first.startswith(
        "Pulled small from sentence-transformers/all-MiniLM-L6-v2, commit 0123456789ab: 384 dimensions, int8, "
    )
    assert first.endswith(" MB, licence apache-2.0.")
    assert second == "New collections use small."
    again = searchkit(home, "models", "pull", MINILM, "--name", "small")
    assert again.stderr == "small is installed already.\n"
    searchkit(home, "index", docs)
    assert "boiler.md" in searchkit(home, "search", "central heating", "-k", "1").stdout


def test_the_command_explains_refusals_on_one_line(home: Path, serve: Serve, checkpoint: MakeCheckpoint) -> None:
    serve(Repository(checkpoint(), gated=True))
    cases = {
        ("anna/model",): "accepted its terms",
        ("anna/other",): "There is no http",
        ("gpt",): "cannot be a model on the hub",
        ("anna/model", "--name", ".x"): "cannot be a model's name",
    }
    for arguments, message in cases.items():
        error = searchkit(home, "models", "pull", *arguments, code=1).stderr
        assert message in error
        assert error.count("\n") == 1
    offline = searchkit(home, "models", "pull", "anna/model", "--offline", code=1, prelude=NO_NETWORK)
    assert "the network was not to be used" in offline.stderr
    assert searchkit(home, "models", "pull", "anna/model", "--quantization", "x", code=2).stderr.count("'int8'") == 1


@pytest.mark.slow
@pytest.mark.embeddinggemma
def test_embeddinggemma_is_pulled_like_any_other(home: Path, serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = home / "repository"
    shutil.copytree(EMBEDDINGGEMMA, folder, copy_function=os.symlink)
    hub = serve(Repository(folder, gated=True, readers=(TOKEN,)))
    hub.repositories["google/embeddinggemma-300m"] = hub.repositories.pop("anna/model")
    with refused(SearchkitError, r"Accept them at .*/google/embeddinggemma-300m"):
        pull(home, "embeddinggemma-300m")
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    card = pull(home, "embeddinggemma-300m")
    assert (card.name, card.dimension, card.licence) == ("embeddinggemma-300m", 768, "gemma")
    assert hub.fetched("tokenizer.json") == []
    assert {request.file for request in hub.requests if request.file.endswith(".safetensors")} == {
        WEIGHTS,
        f"2_Dense/{WEIGHTS}",
        f"3_Dense/{WEIGHTS}",
    }
    store = ModelStore(home / "models")
    found = store.verify(card.name)
    assert found.problems == ()
    assert store.best() == "embeddinggemma-300m"
    vectors = store.open(card.name).embed_queries(["a", "b"])
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-3)
