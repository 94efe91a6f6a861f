"""The study of spread-out training: its maps, figures, structures and arithmetic, on small generated vectors."""

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.spread_out.__main__ import measure_missing
from benchmarks.spread_out.analysis import Study, correlations, curve, spearman
from benchmarks.spread_out.cells import (
    EXACT,
    Cell,
    Cells,
    Key,
    Point,
    by_whole_vectors,
    cut,
    exact,
    hits_of,
    keys,
    mapped,
    measure,
    recalls,
)
from benchmarks.spread_out.documents import Section, held_out, sections_of, write_set
from benchmarks.spread_out.geometry import geometry_of, occurrences, skewness
from benchmarks.spread_out.report import differences, report
from benchmarks.spread_out.sets import StudySet, load_set, prefixes_of
from benchmarks.spread_out.structures import STRUCTURES, Found, hnsw, ivf
from benchmarks.spread_out.variants import LEARNED, VARIANTS, centring, principal, rotation, transform_of, whitening
from searchkit.embedding.embedder import normalized
from searchkit.evaluate.beir import read_beir
from searchkit.home import Home
from searchkit.library import Library
from searchkit.train.pairs.vectors import PairVectors
from searchkit_indexes import Vectors
from tests.support.hash_embedder import HashEmbedder


def vectors_like(count: int, dimension: int, seed: int = 0, *, bias: float = 0.5) -> Vectors:
    """Unit vectors around a common direction, whose coordinates vary unequally."""
    rng = np.random.default_rng(seed)
    scale = np.linspace(0.2, 1.5, dimension)
    return normalized((rng.standard_normal((count, dimension)) * scale + bias).astype(np.float32))


@pytest.fixture
def data() -> StudySet:
    """400 passages of 16 dimensions; each of 30 queries is near to one of them, which answers it."""
    passages = vectors_like(400, 16)
    queries = normalized(passages[:30] + 0.05 * vectors_like(30, 16, 1, bias=0))
    taught = passages[100:300]
    asked = normalized(taught + 0.1 * vectors_like(200, 16, 2, bias=0))
    ids = np.arange(200)
    pairs = PairVectors(asked, taught, ids, ids, np.full(200, -1), np.zeros((200, 16), np.float32))
    return StudySet(
        name="made",
        model="model",
        prefixes=(16, 8),
        passages=passages,
        document_of=np.arange(400),
        queries=queries,
        relevance=tuple({str(row): 1} for row in range(30)),
        pairs=pairs,
        is_training=np.ones((3, 200), bool),
    )


def test_centring_leaves_no_mean_and_whitening_no_covariance() -> None:
    vectors = vectors_like(2000, 12)
    centre = centring(vectors)
    assert np.allclose(((vectors - centre.mean) @ centre.matrix).mean(axis=0), 0, atol=1e-5)
    white = whitening(vectors, shrinkage=0.0)
    assert np.allclose(np.cov(((vectors - white.mean) @ white.matrix).T), np.eye(12), atol=1e-2)


def test_full_shrinkage_only_scales() -> None:
    white = whitening(vectors_like(500, 12), shrinkage=1.0)
    assert np.allclose(white.matrix, white.matrix[0, 0] * np.eye(12), atol=1e-4)


def test_a_rotation_keeps_every_product_and_another_seed_is_another_rotation() -> None:
    vectors = vectors_like(50, 12)
    turned = rotation(12, seed=1)(vectors)
    assert np.allclose(turned @ turned.T, vectors @ vectors.T, atol=1e-5)
    assert not np.allclose(turned, rotation(12, seed=2)(vectors), atol=0.1)


def test_principal_axes_keep_every_product_and_make_variances_as_unequal_as_they_can_be() -> None:
    vectors = vectors_like(2000, 12)
    turned = principal(vectors)(vectors)
    assert np.allclose(turned[:50] @ turned[:50].T, vectors[:50] @ vectors[:50].T, atol=1e-5)
    variances = turned.var(axis=0)
    assert (np.diff(variances) <= 1e-6).all()
    assert variances.std() > vectors.var(axis=0).std()


@pytest.mark.parametrize("variant", [name for name in VARIANTS if name not in LEARNED])
def test_every_variant_gives_unit_vectors(variant: str, data: StudySet) -> None:
    assert np.allclose(np.linalg.norm(transform_of(variant, data, 0)(data.passages), axis=1), 1, atol=1e-5)


@pytest.mark.train
def test_spread_out_lowers_the_second_moment_the_more_the_stronger_it_is(data: StudySet) -> None:
    moments = [
        geometry_of(transform_of(variant, data, 0)(data.passages), data.queries).second_moment
        for variant in ("contrastive", "spread-out 1", "spread-out 10", "spread-out 100")
    ]
    assert moments == sorted(moments, reverse=True)


def test_vectors_that_point_everywhere_alike_have_the_figures_of_the_sphere() -> None:
    sphere = normalized(np.random.default_rng(0).standard_normal((2000, 32)).astype(np.float32))
    figures = geometry_of(sphere, sphere[:50])
    assert figures.second_moment == pytest.approx(1, abs=0.05)
    assert figures.mean_cosine == pytest.approx(0, abs=0.01)
    assert figures.variance_spread < 0.1
    assert figures.sign_bias < 0.05


def test_vectors_with_a_common_direction_and_unequal_coordinates_are_seen_to_be_so() -> None:
    vectors = vectors_like(1000, 32)
    figures = geometry_of(vectors, vectors[:50])
    assert figures.second_moment > 2
    assert figures.mean_cosine > 0.1
    assert figures.variance_spread > 0.3
    turned = geometry_of(rotation(32, 0)(vectors), vectors[:50])
    assert turned.second_moment == pytest.approx(figures.second_moment, rel=1e-3)
    assert turned.variance_spread < figures.variance_spread / 2


def test_a_hub_is_in_everybody_s_neighbourhood() -> None:
    cosines = np.zeros((40, 40), np.float32)
    cosines[:, 7] = 0.9
    counts = occurrences(cosines)
    assert counts[7] == 39
    assert counts.sum() == 400
    assert skewness(counts) > 1
    assert skewness(np.ones(5)) == 0


@pytest.mark.parametrize("structure", [name for name in STRUCTURES if name != "hnswlib"])
def test_every_structure_finds_most_of_the_nearest_with_its_largest_effort(structure: str, data: StudySet) -> None:
    whole = mapped(data, transform_of("rotated", data, 0))
    cell = measure(Key("model", "made", "rotated", 0, 16, structure), whole)
    assert recalls(cell.points[-1].rescored_hits).mean() > 0.95
    efforts = [point.effort for point in cell.points]
    assert efforts == sorted(set(efforts))
    assert cell.points[-1].rescored_ndcg > 0.9


def test_distances_are_counted_and_grow_with_the_effort(data: StudySet) -> None:
    graph = [found.computations for found in hnsw(data.passages, data.queries)]
    assert None not in graph
    assert graph == sorted(graph, key=lambda count: count or 0)
    lists = list(ivf(data.passages, data.queries))
    everything = lists[-1]
    assert everything.computations == len(data.passages) + everything.effort


def test_the_order_of_insertion_changes_with_the_seed_and_results_are_rows_of_the_set(data: StudySet) -> None:
    whole = mapped(data, transform_of("base", data, 0))
    cells = [measure(Key("model", "made", "base", seed, 16, "int8"), whole) for seed in (0, 1)]
    assert all(recalls(cell.points[0].hits).mean() > 0.9 for cell in cells)


def test_the_exact_cell_has_each_query_s_ndcg_and_the_geometry(data: StudySet) -> None:
    cell = measure(Key("model", "made", "base", 0, 16, EXACT), mapped(data, transform_of("base", data, 0)))
    assert len(cell.ndcg) == 30
    assert np.mean(cell.ndcg) > 0.9
    assert cell.geometry
    assert cell.geometry["second_moment"] > 1


def test_candidates_of_a_prefix_are_ordered_by_the_whole_vectors(data: StudySet) -> None:
    whole = mapped(data, transform_of("base", data, 0))
    short = cut(whole, 8)
    assert short.passages.shape == (400, 8)
    candidates = exact(short.passages, short.queries, 400)
    candidates[:, -1] = -1
    assert np.array_equal(by_whole_vectors(short, candidates)[:, :5], whole.whole_nearest[:, :5])
    assert (by_whole_vectors(short, candidates)[:, -1] == -1).all()


def test_hits_are_a_digit_a_query() -> None:
    nearest = np.arange(20).reshape(2, 10)
    found = np.array([list(range(10)), [10, 11, *[-1] * 8]])
    assert hits_of(found, nearest) == "a2"
    assert recalls("a2").tolist() == [1.0, 0.2]


def test_finished_cells_are_read_again_and_a_torn_line_is_not(tmp_path: Path) -> None:
    file = tmp_path / "cells.jsonl"
    cell = Cell(Key("m", "s", "base", 0, 16, "hnsw"), 9, 0.1, (Point(8, 3.0, "a2", "aa", 0.5, 0.6),))
    Cells(file).put(cell)
    with file.open("a") as lines:
        lines.write('{"key": {"model": "m"')
    cells = Cells(file)
    assert list(cells.done.values()) == [cell]
    other = Cell(Key("m", "s", "base", 1, 16, "hnsw"), 9, 0.1)
    cells.put(other)
    assert list(Cells(file).done.values()) == [cell, other]


def test_seeds_are_averaged_into_a_curve_and_unknown_computations_have_none() -> None:
    first = Cell(Key("m", "s", "base", 0, 16, "hnsw"), 9, 0, (Point(8, 100.0, "a0", "aa", 0.5, 0.6),))
    second = Cell(Key("m", "s", "base", 1, 16, "hnsw"), 9, 0, (Point(8, 300.0, "aa", "aa", 0.7, 0.8),))
    mean = curve([first, second], rescored=False)
    assert mean is not None
    assert mean.efforts.tolist() == [200.0]
    assert mean.recalls.tolist() == [[1.0, 0.5]]
    unknown = Cell(Key("m", "s", "base", 0, 16, "hnswlib"), 9, 0, (Point(8, None, "a0", "aa", 0.5, 0.6),))
    assert curve([unknown], rescored=False) is None
    assert curve([unknown], rescored=False, by_computations=False) is not None


def test_two_variants_are_compared_by_the_seeds_that_both_have() -> None:
    def cell(variant: str, seed: int, hits: str) -> Cell:
        return Cell(Key("m", "s", variant, seed, 16, "signs"), 9, 0, (Point(10, 9.0, hits, hits, 0.5, 0.5),))

    study = Study([cell("base", 0, "55"), cell("base", 1, "00"), cell("rotated", 0, "77")])
    found = differences(study, ("m", "s", 16), "rotated", "base")[-1]
    assert found is not None
    assert found.value == pytest.approx(0.2)


def test_ranks_correlate_whatever_the_scale() -> None:
    assert spearman([1, 2, 3, 4], [1, 10, 100, 1000]) == pytest.approx(1)
    assert spearman([1, 2, 3, 4], [4, 3, 2, 1]) == pytest.approx(-1)
    assert spearman([1, 1, 2, 2], [1, 1, 2, 2]) == pytest.approx(1)
    assert spearman([1, 1, 1], [1, 2, 3]) == 0


def test_a_report_has_every_variant_and_says_what_goes_with_what(data: StudySet) -> None:
    cells = []
    for variant in ("base", "centred", "whitened", "rotated"):
        whole = mapped(data, transform_of(variant, data, 0))
        for key in keys(data, [variant], 0, (16, 8), ("hnsw", "ivf-int8", "int8", "pq", "rabitq", "signs")):
            cells.append(measure(key, cut(whole, key.prefix)))
    partly = mapped(data, transform_of("principal axes", data, 0))
    cells += [measure(key, partly) for key in keys(data, ["principal axes"], 0, (16,), ("signs",))]
    text = "\n".join(report(Study(cells)))
    assert "| whitened |" in text
    assert "nan" not in text
    assert "Rank correlations" in text
    assert correlations(Study(cells), "hnsw", "variance_spread") == []  # four variants are too few
    assert len(correlations(Study(cells), "signs", "variance_spread")) == 1


def test_the_prefixes_of_a_small_model_end_with_it() -> None:
    assert prefixes_of(768) == [768, 512, 256, 128]
    assert prefixes_of(384) == [384, 256, 128]


PAGE = """<html><head><title>Manual</title></head><body><h1>Manual</h1>
<h2>Replacing the filter</h2><p>{}</p><h2>Index</h2><p>Short.</p></body></html>"""
BODY = (
    "Replacing the filter takes a minute: open the lid, pull the old cartridge out, and push the new one in until it clicks. "
    * 2
)


def test_passages_stand_under_their_headings_and_are_short() -> None:
    (section,) = sections_of(PAGE.format(BODY * 10).encode())
    assert section.heading == "Replacing the filter"
    assert "Manual" in section.above
    assert max(len(text.split()) for text in section.passages) <= 90
    assert len(section.passages) > 2


def test_a_heading_that_is_held_out_is_in_neither_title_nor_text_of_its_passages(tmp_path: Path) -> None:
    (section,) = sections_of(PAGE.format(BODY).encode())
    twice = Section(("Manual",), "General remarks of the authors", (BODY,))
    write_set(tmp_path, [section, twice, twice], queries=5)
    data = read_beir(tmp_path)
    assert list(data.queries.values()) == ["Replacing the filter"]
    ((answers),) = data.qrels.values()
    for name in answers:
        passage = data.documents[name]
        assert "eplacing the filter" not in passage.title + passage.text
    assert any("General remarks" in passage.title for passage in data.documents.values())


def test_headings_that_stand_twice_or_say_little_are_not_held_out() -> None:
    sections = [
        Section(("Manual",), heading, (BODY,)) for heading in ("Twice over here", "Twice over here", "A", "Once only")
    ]
    assert {held.heading for held in held_out(sections, 9).values()} == {"Once only"}


def test_a_cell_is_one_line_of_json(tmp_path: Path, data: StudySet) -> None:
    cells = Cells(tmp_path / "cells.jsonl")
    cells.put(measure(Key("model", "made", "base", 0, 16, "signs"), mapped(data, transform_of("base", data, 0))))
    (line,) = (tmp_path / "cells.jsonl").read_text().splitlines()
    assert json.loads(line)["key"]["structure"] == "signs"


def test_found_positions_of_a_scan_are_as_many_as_its_effort(data: StudySet) -> None:
    found: list[Found] = list(STRUCTURES["signs"](data.passages, data.queries))
    assert [each.positions.shape[1] for each in found] == [each.effort for each in found]


def test_a_set_is_embedded_once_and_no_judged_query_is_among_its_pairs(tmp_path: Path) -> None:
    words = [
        f"{first}{second}"
        for first in ("ar", "be", "cu", "do", "ef", "gi")
        for second in ("lamp", "stone", "reef", "moor")
    ]
    rng = np.random.default_rng(0)
    sections = [
        Section(
            ("Manual",),
            f"{words[a]} beside {words[b]}",
            (". ".join(" ".join(rng.choice(words, 12)).capitalize() for _ in range(5)) + ".",),
        )
        for a, b in zip(*np.triu_indices(24, 1), strict=True)
    ]
    write_set(tmp_path / "set", sections[:120], queries=20)
    embedder = HashEmbedder()
    first = load_set(Home(tmp_path / "home"), tmp_path / "set", embedder, tmp_path / "cache", lambda _: None)
    count = len(embedder.embedded)
    again = load_set(Home(tmp_path / "home"), tmp_path / "set", embedder, tmp_path / "cache", lambda _: None)
    assert len(embedder.embedded) == count
    assert np.array_equal(first.passages, again.passages)
    assert len(first.queries) == 20
    assert first.passages.shape == (120, 64)
    assert len(first.training(0)) > 20
    assert (first.training(0).queries @ first.queries.T).max() < 0.999
    assert not np.array_equal(first.is_training[0], first.is_training[1])


def test_what_is_measured_is_not_measured_again(
    tmp_path: Path, data: StudySet, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = keys(data, ["base", "rotated"], 0, (16,), ("int8", "signs"))
    cells = Cells(tmp_path / "cells.jsonl")
    measure_missing(data, wanted[:4], cells)
    before = dict(cells.done)
    again = Cells(tmp_path / "cells.jsonl")
    assert again.done == before
    measure_missing(data, wanted, again)
    assert list(again.done) == wanted
    assert {key: again.done[key] for key in before} == before
    capsys.readouterr()
    measure_missing(data, wanted, again)
    assert not capsys.readouterr().out


@pytest.mark.train
def test_a_set_without_titles_is_not_fine_tuned_on(tmp_path: Path) -> None:
    pytest.importorskip("torch")
    from benchmarks.spread_out.finetuned import FINETUNED, Place, finetuned_set

    write_set(tmp_path / "set", [Section(("Manual",), "Replacing the filter", (BODY,))] * 3, queries=0)
    (tmp_path / "set" / "queries.jsonl").write_text('{"_id": "q", "text": "which cartridge"}\n')
    (tmp_path / "set" / "qrels" / "test.tsv").write_text("query-id\tcorpus-id\tscore\nq\t0-0\t1\n")
    with Library(tmp_path / "home") as library:
        place = Place(library, tmp_path / "set", tmp_path)
        assert finetuned_set(place, next(iter(FINETUNED)), 0, lambda _: None) is None
