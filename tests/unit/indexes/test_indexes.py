"""One contract for every index: what it is asked, what it answers, whatever it was made of and whatever happened to it."""

import threading
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from searchkit_indexes import (
    ALL_KINDS,
    Code,
    CodedIndex,
    Ids,
    IndexDamagedError,
    IndexSpec,
    Neighbours,
    Structure,
    StructureMissingError,
    Vectors,
    build_index,
    search_rescored,
)

DIMENSION = 256
PREFIX = 128


@cache
def unit_vectors(count: int, seed: int = 0) -> Vectors:
    """(count, DIMENSION) vectors around a hundred centres, the first components the largest, as Matryoshka has them."""
    random = np.random.default_rng(seed)
    centres = np.random.default_rng(99).standard_normal((100, DIMENSION)) / np.sqrt(np.arange(1, DIMENSION + 1))
    vectors = centres[random.integers(0, 100, count)] + random.standard_normal((count, DIMENSION)) * 0.06
    scaled: Vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    scaled.flags.writeable = False  # shared by the tests
    return scaled


@pytest.fixture(params=[IndexSpec(*kind, PREFIX) for kind in ALL_KINDS], ids=str)
def spec(request: pytest.FixtureRequest) -> IndexSpec:
    return available(request.param)


@pytest.fixture(
    params=[IndexSpec(*kind, dimension) for kind in ALL_KINDS for dimension in (PREFIX, DIMENSION)], ids=str
)
def spec_of_any_dimension(request: pytest.FixtureRequest) -> IndexSpec:
    return available(request.param)


def available(spec: IndexSpec) -> IndexSpec:
    if spec.structure is Structure.HNSWLIB:
        pytest.importorskip("hnswlib", reason="hnswlib is not installed (extra [hnsw], needs a C++ compiler)")
    return spec


@cache
def index_of_5000(spec: IndexSpec) -> CodedIndex:
    """Of `unit_vectors(5000)`, built once for the tests that only search."""
    return built(spec, unit_vectors(5000))


def built(spec: IndexSpec, vectors: Vectors, first_id: int = 1) -> CodedIndex:
    return build_index(spec, [(np.arange(first_id, first_id + len(vectors)), vectors)])


def rescored(index: CodedIndex, query: Vectors, k: int, truth: dict[int, Vectors], allowed: Ids | None = None) -> Ids:
    def fetch(ids: Ids) -> tuple[Ids, Vectors]:
        held = np.array([i for i in ids.tolist() if i in truth], np.int64)
        return held, np.array([truth[i] for i in held.tolist()], np.float32).reshape(len(held), DIMENSION)

    found: Ids = search_rescored(index, query, k, fetch, allowed_ids=allowed).ids[0]
    return found


def exact(truth: dict[int, Vectors], queries: Vectors, k: int, allowed: Ids | None = None) -> list[Ids]:
    """The best ids for each query, and of equally good ones the smallest."""
    ids = np.array(sorted(truth if allowed is None else truth.keys() & set(allowed.tolist())), np.int64)
    scores = queries @ np.array([truth[i] for i in ids.tolist()], np.float32).reshape(len(ids), DIMENSION).T
    return [ids[np.lexsort((ids, -row))[:k]] for row in scores]


def recall(index: CodedIndex, truth: dict[int, Vectors], queries: Vectors, allowed: Ids | None = None) -> float:
    best = exact(truth, queries, 10, allowed)
    found = [
        np.isin(each, rescored(index, q, 10, truth, allowed)).mean() for each, q in zip(best, queries, strict=True)
    ]
    return float(np.mean(found))


def by_id(vectors: Vectors, first_id: int = 1) -> dict[int, Vectors]:
    return {first_id + i: vector for i, vector in enumerate(vectors)}


def assert_well_formed(found: Neighbours, queries: int, k: int) -> None:
    assert found.ids.shape == found.scores.shape == (queries, k)
    assert found.ids.dtype == np.int64 and found.scores.dtype == np.float32
    assert (found.ids >= 0).all() and np.isfinite(found.scores).all()
    assert all(len(set(row)) == k for row in found.ids.tolist())
    assert (np.diff(found.scores, axis=1) <= 0).all()


def test_it_finds_what_exact_search_finds(spec_of_any_dimension: IndexSpec) -> None:
    vectors, queries = unit_vectors(5000), unit_vectors(40, seed=1)
    index = index_of_5000(spec_of_any_dimension)

    assert len(index) == 5000
    assert_well_formed(index.search(queries, 10), 40, 10)
    assert recall(index, by_id(vectors), queries) >= 0.97


@pytest.mark.parametrize("code", [code for structure, code in ALL_KINDS if structure is Structure.IVF])
def test_lists_are_taken_over_from_an_index_of_like_vectors(code: Code) -> None:
    spec = IndexSpec(Structure.IVF, code, DIMENSION)
    noise = np.random.default_rng(5).standard_normal((DIMENSION, DIMENSION))
    turn = (np.eye(DIMENSION) + 0.02 * noise).astype(np.float32)
    before, queries = index_of_5000(spec), unit_vectors(40, seed=1) @ turn
    vectors = unit_vectors(5000) @ turn
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    centroids = before.centroids()
    assert centroids is not None
    centroids = centroids @ turn

    ids = np.arange(1, 5001)
    index = build_index(spec, [(ids, vectors)], sample=vectors, expected=5000, centroids=centroids)
    grown = build_index(spec, [(ids, vectors)], sample=vectors, expected=50_000, centroids=centroids)

    taken, learned = index.centroids(), grown.centroids()
    assert taken is not None and np.allclose(taken, centroids, atol=1e-6)
    assert recall(index, by_id(vectors), queries) >= 0.97
    assert learned is not None and len(learned) > len(centroids)  # too few for so many, so it has learned its own


@pytest.mark.parametrize("share", [0.01, 0.1, 0.5])
def test_a_filter_keeps_its_recall(spec: IndexSpec, share: float) -> None:
    vectors, queries = unit_vectors(5000), unit_vectors(20, seed=1)
    index = index_of_5000(spec)
    allowed = np.flatnonzero(np.random.default_rng(3).random(5000) < share).astype(np.int64) + 1

    found = index.search(queries, 10, allowed)

    assert_well_formed(found, 20, 10)
    assert np.isin(found.ids, allowed).all()
    assert recall(index, by_id(vectors), queries, allowed) >= 0.97


def test_a_filter_for_nothing_and_for_strangers_finds_nothing(spec: IndexSpec) -> None:
    index = built(spec, unit_vectors(500))

    assert index.search(unit_vectors(2), 10, np.empty(0, np.int64)).ids.shape == (2, 0)
    assert index.search(unit_vectors(2), 10, np.array([7000, 8000])).ids.shape == (2, 0)


def test_k_is_clamped_to_what_is_there(spec: IndexSpec) -> None:
    index = built(spec, unit_vectors(300))
    index.add(np.array([1000]), unit_vectors(1, seed=5))
    index.remove(np.array([3, 4]))

    assert_well_formed(index.search(unit_vectors(3, seed=2), 1000), 3, 299)
    assert index.search(unit_vectors(3), 1000, np.array([3, 5, 1000])).ids.shape == (3, 2)
    assert index.search(unit_vectors(3), 0).ids.shape == (3, 0)
    assert index.search(unit_vectors(0), 10).ids.shape[0] == 0


def test_equal_vectors_stand_in_the_order_of_their_ids(spec: IndexSpec) -> None:
    vectors = np.concatenate([unit_vectors(300), np.repeat(unit_vectors(1, seed=8), 12, axis=0)])
    index = build_index(spec, [(np.arange(311, -1, -1), vectors)])

    six, twenty = (index.search(vectors[-1:], k).ids[0].tolist() for k in (6, 20))

    equal = [i for i in twenty if i < 12]  # a code may rank another vector as high
    assert equal == list(range(12))
    assert twenty[:6] == six


def test_what_is_removed_is_not_found_and_what_is_added_is(spec: IndexSpec) -> None:
    vectors = unit_vectors(2000)
    index = built(spec, vectors)

    assert index.remove(np.array([5, 6, 9999])) == 2
    assert index.remove(np.array([5])) == 0
    index.add(np.array([5]), vectors[100:101])

    assert len(index) == 1999
    assert not np.isin(index.search(vectors[5:6], 50).ids, [6]).any()
    assert set(index.search(vectors[100:101], 2).ids[0].tolist()) == {5, 101}


def test_many_changes_are_worked_in(spec: IndexSpec) -> None:
    vectors, later = unit_vectors(3000), unit_vectors(6000, seed=4)
    index = built(spec, vectors)
    index.remove(np.arange(1, 1801))
    index.add(np.arange(10_001, 15_001), later[:5000])
    index.add(np.arange(15_001, 16_001), later[5000:])

    truth = {**{i + 1: vectors[i] for i in range(1800, 3000)}, **by_id(later, 10_001)}

    assert len(index) == len(truth)
    assert recall(index, truth, unit_vectors(20, seed=1)) >= 0.97


def test_an_empty_index_grows(spec: IndexSpec) -> None:
    index = build_index(spec, [])
    assert len(index) == 0 and index.search(unit_vectors(1), 5).ids.shape == (1, 0)

    vectors = unit_vectors(4500)
    index.add(np.arange(1, 4501), vectors)

    assert recall(index, by_id(vectors), unit_vectors(20, seed=1)) >= 0.97


def test_an_index_that_lost_everything_grows_again(spec: IndexSpec) -> None:
    index = built(spec, unit_vectors(3000))
    index.remove(np.arange(1, 3001))
    assert len(index) == 0 and index.search(unit_vectors(1), 5).ids.shape == (1, 0)
    index.compact()

    vectors = unit_vectors(4500, seed=2)
    index.add(np.arange(1, 4501), vectors)
    index.compact()

    assert recall(index, by_id(vectors), unit_vectors(20, seed=1)) >= 0.97


def test_it_refuses_what_does_not_fit(spec: IndexSpec) -> None:
    index = built(spec, unit_vectors(200))

    with pytest.raises(ValueError, match="in the index already"):
        index.add(np.array([7]), unit_vectors(1))
    with pytest.raises(ValueError, match="given twice"):
        index.add(np.array([900, 900]), unit_vectors(2))
    with pytest.raises(ValueError, match="1 ids for 2 vectors"):
        index.add(np.array([900]), unit_vectors(2))
    with pytest.raises(ValueError, match="dimensions"):
        index.add(np.array([900]), unit_vectors(1)[:, :100])
    with pytest.raises(ValueError, match="dimensions"):
        index.search(unit_vectors(1)[:, :100], 3)
    assert len(index) == 200


def test_a_loaded_index_answers_the_same_and_can_be_changed(spec: IndexSpec, tmp_path: Path) -> None:
    """A mapped FAISS index that is added to aborts the process; an index of ours never does that."""
    vectors, queries = unit_vectors(2000), unit_vectors(20, seed=1)
    index = built(spec, vectors)
    index.remove(np.array([5, 6]))
    index.add(np.array([5000]), queries[:1])
    index.save(tmp_path)

    loaded = CodedIndex.load(tmp_path, spec)

    assert len(loaded) == len(index)
    np.testing.assert_array_equal(loaded.search(queries, 10).ids, index.search(queries, 10).ids)
    loaded.add(np.arange(6000, 11_000), unit_vectors(5000, seed=6))
    loaded.remove(np.arange(1, 1000))
    assert_well_formed(loaded.search(queries, 10), 20, 10)
    assert len(CodedIndex.load(tmp_path, spec)) == len(index)


def test_files_of_another_dimension_are_refused(spec: IndexSpec, tmp_path: Path) -> None:
    """hnswlib reads a graph of another dimension without a word."""
    built(spec, unit_vectors(300)).save(tmp_path)

    with pytest.raises(IndexDamagedError):
        CodedIndex.load(tmp_path, IndexSpec(spec.structure, spec.code, 96))


def test_truncated_files_are_refused(spec: IndexSpec, tmp_path: Path) -> None:
    built(spec, unit_vectors(300)).save(tmp_path)
    for path in tmp_path.iterdir():
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        if path.suffix == ".npy":  # hnswlib's own file: the manifest's checksum holds it
            with pytest.raises(IndexDamagedError):
                CodedIndex.load(tmp_path, spec)
        path.write_bytes(content)


def test_two_threads_search_while_a_third_adds(spec: IndexSpec) -> None:
    vectors, more = unit_vectors(2000), unit_vectors(6000, seed=4)
    index = built(spec, vectors)
    done = threading.Event()
    wrong: list[object] = []

    def search() -> None:
        while not done.is_set():
            found = index.search(vectors[:4], 10)
            if found.ids.shape != (4, 10) or not np.isfinite(found.scores).all():
                wrong.append(found)

    searching = [threading.Thread(target=search) for _ in range(2)]
    for thread in searching:
        thread.start()
    for start in range(0, 6000, 1000):
        index.add(np.arange(start, start + 1000) + 10_000, more[start : start + 1000])
        index.remove(np.arange(start // 4, start // 4 + 250) + 1)
    done.set()
    for thread in searching:
        thread.join()
    assert not wrong
    assert len(index) == 2000 + 6000 - 1500


@st.composite
def operations(draw: st.DrawFn) -> list[tuple[str, int]]:
    steps: list[tuple[str, int]] = draw(
        st.lists(st.tuples(st.sampled_from(["add", "remove", "save", "search", "filter"]), st.integers(1, 400)))
    )
    return steps


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=operations(), seed=st.integers(0, 1000))
def test_any_sequence_of_operations_leaves_the_answers_of_exact_search(
    spec: IndexSpec, tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]], seed: int
) -> None:
    random = np.random.default_rng(seed)
    vectors = unit_vectors(400, seed)
    index, truth, next_id = built(spec, vectors), by_id(vectors), 401
    for step, size in [*steps, ("search", 10)]:
        if step == "add":
            new = unit_vectors(size, seed + next_id)
            index.add(np.arange(next_id, next_id + size), new)
            truth.update(by_id(new, next_id))
            next_id += size
        elif step == "remove" and truth:
            gone = random.choice(np.array(list(truth)), min(size, len(truth)), replace=False)
            assert index.remove(gone) == len(gone)
            for i in gone.tolist():
                del truth[i]
        elif step == "save":
            folder = tmp_path_factory.mktemp("index")
            index.save(folder)
            index = CodedIndex.load(folder, spec)
        else:
            allowed = None if step == "search" else random.integers(1, next_id, size)
            query = unit_vectors(1, seed + size)
            (expected,) = exact(truth, query, 10, allowed)
            found = rescored(index, query[0], 10, truth, allowed)
            assert len(index) == len(truth) and len(found) == len(expected)
            missed = len(set(expected.tolist()) - set(found.tolist()))
            assert missed <= (2 if spec.code in {Code.BIT1, Code.BIT2, Code.BIT4} else 1)  # one example in thousands


def test_a_spec_is_written_and_read() -> None:
    assert str(IndexSpec.parse("rabitq-1bit-768")) == "rabitq-1bit-768"
    for wrong in ("rabitq", "rabitq-float32-768", "tree-1bit-768", "flat-float32-0", "flat-float32-x"):
        with pytest.raises(ValueError):
            IndexSpec.parse(wrong)


def test_candidates_that_no_longer_exist_are_made_up_for() -> None:
    vectors = unit_vectors(3000)
    index = built(IndexSpec.parse(f"flat-int8-{DIMENSION}"), vectors)
    query = vectors[:1]
    truth = by_id(vectors)
    for i in exact(truth, query, 300)[0].tolist():
        del truth[i]

    assert rescored(index, query[0], 10, truth).tolist() == exact(truth, query, 10)[0].tolist()


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "hnswlib", None)
    monkeypatch.delitem(__import__("sys").modules, "searchkit_indexes.hnswlib_codes", raising=False)

    with pytest.raises(StructureMissingError, match="hnswlib is not installed"):
        build_index(IndexSpec.parse("hnswlib-float32-256"), [(np.arange(5), unit_vectors(5))])
