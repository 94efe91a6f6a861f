"""The benchmark's own arithmetic and its talk with engines, which are scripts here that say how long they took."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import islice
from pathlib import Path

import pytest

from searchkit.cli.bench import FORMS, SECTIONS
from searchkit.embedding.model_info import Prompts
from searchkit.errors import BenchmarkError, Remedy, UsageError
from searchkit.evaluate.beir import RetrievalData
from searchkit.evaluate.speed.bench import Section, spread_over_rounds
from searchkit.evaluate.speed.engine import Engine, ExportedForm, ModelInputs
from searchkit.evaluate.speed.engine_process import EngineProcess
from searchkit.evaluate.speed.fidelity import measure_cosines, measure_retrieval
from searchkit.evaluate.speed.latency import measure_latency, measure_loads
from searchkit.evaluate.speed.machine import describe_machine
from searchkit.evaluate.speed.throughput import fixed_length_texts, measure_speed, paired_ratio, rotated
from searchkit.types import Passage
from tests.support.errors import refused
from tests.support.files import ROOT, write

# An engine that needs `argv[1]` seconds a text, half of it in batches. A text's vector is its number of a's and of b's.
SCRIPT = """
import array, base64, json, sys
seconds = float(sys.argv[1])
memory = {"resident": 3.0, "anonymous": 1.0, "file": 2.0, "peak": 4.0}
def vector(text):
    a, b = text.count("a"), text.count("b")
    length = (a * a + b * b) ** 0.5
    return [a / length, b / length]
for line in sys.stdin:
    request = json.loads(line)
    texts = request.get("texts", [])
    if "break" in texts:
        print("first line", file=sys.stderr)
        raise SystemExit("out of order")
    print(json.dumps({
        "load": lambda: {"seconds": seconds, "version": "fake 1", "memory": memory},
        "embed": lambda: {"seconds": seconds * len(texts) / (2 if request["batch_size"] > 1 else 1)},
        "each": lambda: {"seconds": [seconds] * len(texts)},
        "vectors": lambda: {"rows": len(texts), "vectors": base64.b64encode(
            array.array("f", [1.01 * x for text in texts for x in vector(text)]).tobytes()).decode()},
        "ids": lambda: {"ids": [[len(text)] for text in texts]},
        "memory": lambda: {"memory": memory},
    }[request["op"]](), ensure_ascii=True), flush=True)
"""
MakeEngine = Callable[..., Engine]


class WordTokenizer:
    """A token a word, and one at each end."""

    def encode(self, text: str, max_tokens: int) -> list[int]:
        return [0, *map(len, text.split()[: max_tokens - 2]), 0]

    def count(self, text: str) -> int:
        return len(text.split())


def quietly(_: str) -> None:
    """Progress that nobody looks at."""


INPUTS = ModelInputs(Prompts("{content}", "{title} {content}", "{content}"), WordTokenizer(), 2048, 2)


@pytest.fixture
def make_engine(tmp_path: Path) -> MakeEngine:
    """Engines that are the script."""
    script = write(tmp_path / "engine.py", SCRIPT)

    def make(name: str, seconds: float, *batch_sizes: int) -> Engine:
        command = (sys.executable, "-S", str(script), str(seconds))
        return Engine(name, 1, command, INPUTS, batch_sizes or (0,), 10, True, Remedy(sentence="Try another one."))

    return make


@pytest.mark.parametrize("tokens", [3, 16, 256])
def test_texts_have_exactly_the_length_asked_for(tokens: int) -> None:
    passages = ["one two  three", "four\nfive", " ", "six seven eight nine"]
    texts = list(islice(fixed_length_texts(passages, tokens, lambda text: len(text.split()) + 1, seed=1), 20))
    assert {len(text.split()) for text in texts} == {tokens - 1}
    assert len(set(texts)) > 1
    assert texts == list(islice(fixed_length_texts(passages, tokens, lambda text: len(text.split()) + 1, seed=1), 20))


def test_texts_are_filled_up_where_a_token_more_would_be_two() -> None:
    in_pairs = {"xy": 2, "z": 1}

    def count(text: str) -> int:
        return sum(in_pairs.get(word, 1) for word in text.split())

    assert {count(text) for text in islice(fixed_length_texts(["xy xy xy", "xy"], 5, count, seed=1), 5)} == {5}


def test_a_length_that_the_prompt_alone_exceeds_is_refused() -> None:
    with pytest.raises(UsageError, match="No text fits into 4 tokens"):
        next(fixed_length_texts(["one"], 4, lambda text: 9 + len(text.split()), seed=1))
    with pytest.raises(UsageError, match="all empty"):
        next(fixed_length_texts(["", " "], 4, lambda text: len(text.split()), seed=1))


def test_a_corpus_is_spread_over_rounds_from_all_its_parts() -> None:
    corpus = [Passage("", str(number)) for number in range(100)]
    rounds = spread_over_rounds(corpus, 2, 5)
    assert [[passage.text for passage in passages] for passages in rounds] == [
        ["0", "20", "40", "60", "80"],
        ["10", "30", "50", "70", "90"],
    ]
    assert spread_over_rounds(corpus[:2], 3, 5) == [corpus[:2]] * 3
    assert [len(passages) for passages in spread_over_rounds(corpus[:5], 3, 5)] == [2, 2, 1]


def test_every_round_begins_with_another_engine() -> None:
    assert [rotated("abc", number) for number in range(4)] == [list("abc"), list("bca"), list("cab"), list("abc")]


def test_ratios_are_taken_round_by_round() -> None:
    # The third round was disturbed for both: the ratio of the medians would be 2 / 4.
    assert paired_ratio([1, 2, 30], [2, 4, 15]).median == 0.5
    assert paired_ratio([1, 2, 30], [2, 4, 15]).high == 2


def test_the_better_way_of_an_engine_counts(make_engine: MakeEngine) -> None:
    steps: list[str] = []
    rounds = [[Passage("", "one two three"), Passage("", "four five")]] * 2
    with EngineProcess(make_engine("ours", 0.1), []) as ours, EngineProcess(make_engine("it", 0.6, 1, 8), []) as other:
        speed = measure_speed("short", [ours, other], rounds, steps.append)
    assert [(row.engine, row.batch_size, row.counted) for row in speed.rows] == [
        ("ours", 0, True),
        ("it", 1, False),
        ("it", 8, True),
    ]
    assert [row.chunks_per_second.median for row in speed.rows] == pytest.approx([10, 1 / 0.6, 1 / 0.3])
    assert [row.subject_ratio.median for row in speed.rows] == pytest.approx([1, 6, 3])
    assert speed.rows[0].tokens_per_second == pytest.approx(45)
    assert speed.mean_tokens == 4.5
    assert steps == ["short: round 1 of 2", "short: round 2 of 2"]


def test_latency_and_load_are_measured_in_turns(make_engine: MakeEngine) -> None:
    ours, other = make_engine("ours", 0.01), make_engine("it", 0.03)
    with EngineProcess(ours, []) as first, EngineProcess(other, []) as second:
        latency = measure_latency("queries", [first, second], [["a", "b"]] * 2, quietly)
    assert [row.median_ms for row in latency.rows] == pytest.approx([10, 30])
    assert [row.subject_ratio.median for row in latency.rows] == pytest.approx([1, 3])
    loads = measure_loads([ours, other], 2, "a", quietly)
    assert [(row.engine, row.starts, row.version, row.size_bytes) for row in loads] == [
        ("ours", 2, "fake 1", 10),
        ("it", 2, "fake 1", 10),
    ]
    assert loads[1].load_seconds.median == 0.03
    assert loads[0].memory.resident == 3


def test_vectors_are_compared_with_the_reference_and_ranked(make_engine: MakeEngine) -> None:
    data = RetrievalData("tiny", {"1": Passage("", "a"), "2": Passage("", "b")}, {"q": "aab"}, {"q": {"2": 1}})
    with EngineProcess(make_engine("right", 0), []) as right, EngineProcess(make_engine("ours", 0), []) as ours:
        (row,) = measure_cosines(right, [ours], [Passage("", "ab")] * 65, quietly)
        rows = measure_retrieval(data, right, [ours], quietly)
    assert (row.engine, row.reference, row.passages) == ("ours", "right", 65)
    assert (row.mean, row.worst) == pytest.approx((1, 1))
    assert [(row.engine, row.difference) for row in rows] == [("ours", 0), ("right", 0)]
    assert rows[0].ndcg_at_10 == pytest.approx(0.6309, abs=1e-4)  # second of two


def test_an_engine_that_breaks_down_is_named_with_its_last_words(make_engine: MakeEngine) -> None:
    with EngineProcess(make_engine("it", 0), []) as process:
        with refused(BenchmarkError, r"^it broke down \(out of order\)\. Try another one\.$"):
            process.seconds_to_embed(["break"], 1)
        with pytest.raises(BenchmarkError, match="broke down"):
            process.memory()
    with pytest.raises(BenchmarkError, match="out of order"):
        EngineProcess(make_engine("it", 0), ["break"])


def test_an_interpreter_that_is_not_there_is_named(make_engine: MakeEngine, tmp_path: Path) -> None:
    nowhere = str(tmp_path / "nowhere")
    engine = Engine("it", 1, (nowhere,), INPUTS, (1,), 0, True, Remedy(sentence="Try another one."))
    with refused(BenchmarkError, r"nowhere cannot be run .* Try another one\."):
        EngineProcess(engine, [])


def test_the_workers_of_others_need_nothing_of_searchkit() -> None:
    engines = Path(sys.modules[EngineProcess.__module__].__file__ or "").parent / "engines"
    for name in ("worker", "sentence_transformers_engine", "exported_engine", "llama_cpp_engine"):
        imports = [line for line in (engines / f"{name}.py").read_text("utf-8").splitlines() if "import " in line]
        assert not [line for line in imports if line.lstrip().startswith(("from searchkit", "import searchkit"))]


def test_the_machine_is_described() -> None:
    machine = describe_machine()
    assert machine.processor
    assert 1 <= machine.usable_cores <= machine.cores == os.cpu_count()
    assert machine.memory_gb is None or machine.memory_gb > 0
    json.dumps(machine.features)


def test_the_command_knows_all_sections() -> None:
    assert list(Section) == SECTIONS
    assert list(ExportedForm) == FORMS


def test_the_worker_starts_where_searchkit_is_not_installed() -> None:
    worker = ROOT / "searchkit" / "evaluate" / "speed" / "engines" / "worker.py"
    command = [sys.executable, "-I", "-S", str(worker), "json", "{}"]  # with Python's own modules alone
    subprocess.run(command, stdin=subprocess.DEVNULL, check=True, timeout=60)
