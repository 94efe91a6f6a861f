"""Each term of the objective against a plain loop, and its gradient against differences; at double precision."""

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

torch: Any = pytest.importorskip("torch")

from searchkit.train import losses  # noqa: E402 - torch first
from searchkit.train.losses import Batch, Objective  # noqa: E402
from searchkit.train.options import LossWeights  # noqa: E402

pytestmark = pytest.mark.train
SIZE, DIMENSION = 6, 8


def batch(seed: int = 0, *, requires_grad: bool = False) -> Batch:
    """Random triples; two queries are the same, two passages are, and one query has no hard negative."""
    generator = torch.Generator().manual_seed(seed)

    def vectors() -> Any:
        return torch.randn(SIZE, DIMENSION, generator=generator, dtype=torch.float64).requires_grad_(requires_grad)

    def unit() -> Any:
        return torch.nn.functional.normalize(vectors().detach(), dim=-1)

    return Batch(
        queries=vectors(),
        positives=vectors(),
        negatives=vectors(),
        query_ids=torch.tensor([0, 1, 2, 0, 3, 4]),
        passage_ids=torch.tensor([0, 1, 2, 3, 2, 4]),
        has_negative=torch.tensor([True, True, False, True, True, True]),
        teacher_queries=unit(),
        teacher_positives=unit(),
        teacher_negatives=unit(),
    )


def rows(vectors: Any, prefix: int = DIMENSION) -> list[list[float]]:
    """Unit rows as plain lists."""
    cut = [row[:prefix] for row in vectors.detach().tolist()]
    return [[value / math.sqrt(sum(v * v for v in row)) for value in row] for row in cut]


def dot(a: list[float], b: list[float]) -> float:
    return sum(x * y for x, y in zip(a, b, strict=True))


def plain_contrastive(b: Batch, weights: LossWeights, prefix: int = DIMENSION) -> float:
    assert b.negatives is not None and b.has_negative is not None
    q, p, n = rows(b.queries, prefix), rows(b.positives, prefix), rows(b.negatives, prefix)
    query_ids, passage_ids = b.query_ids.tolist(), b.passage_ids.tolist()
    total = 0.0
    for i in range(SIZE):
        denominator = 0.0
        if bool(b.has_negative[i]):
            similarity = dot(q[i], n[i])
            denominator += math.exp(weights.hardness * similarity) * math.exp(similarity / weights.temperature)
        for j in range(SIZE):
            is_same = query_ids[i] == query_ids[j] or passage_ids[i] == passage_ids[j]
            if is_same and (j != i or weights.masks_own):
                continue
            denominator += math.exp(dot(q[i], p[j]) / weights.temperature)
        total -= math.log(math.exp(dot(q[i], p[i]) / weights.temperature) / denominator)
    return total / SIZE


def plain_spread(b: Batch, *, is_floored: bool) -> float:
    total = 0.0
    for vectors, ids in ((rows(b.queries), b.query_ids.tolist()), (rows(b.positives), b.passage_ids.tolist())):
        cosines = [dot(vectors[i], vectors[j]) for i in range(SIZE) for j in range(SIZE) if ids[i] != ids[j]]
        second = sum(c * c for c in cosines) / len(cosines)
        mean = sum(cosines) / len(cosines)
        total += mean**2 + max(0.0, second - 1 / DIMENSION) if is_floored else second
    return total


def plain_distillation(b: Batch) -> float:
    assert b.negatives is not None and b.has_negative is not None
    assert b.teacher_queries is not None and b.teacher_positives is not None and b.teacher_negatives is not None
    total = 0.0
    for vectors, teacher, chosen in (
        (b.queries, b.teacher_queries, [True] * SIZE),
        (b.positives, b.teacher_positives, [True] * SIZE),
        (b.negatives, b.teacher_negatives, b.has_negative.tolist()),
    ):
        pairs = [(v, t) for v, t, is_there in zip(rows(vectors), teacher.tolist(), chosen, strict=True) if is_there]
        total += sum(math.dist(v, t) for v, t in pairs) / len(pairs)
    return total


@pytest.mark.parametrize("masks_own", [False, True])
@pytest.mark.parametrize("hardness", [5.0, 0.0])
@pytest.mark.parametrize("prefix", [DIMENSION, 3])
def test_the_contrastive_term_is_what_a_plain_loop_gives(masks_own: bool, hardness: float, prefix: int) -> None:
    weights = LossWeights(temperature=0.2, hardness=hardness, masks_own=masks_own)
    found = float(losses.contrastive(batch(), weights, [prefix]))
    assert found == pytest.approx(plain_contrastive(batch(), weights, prefix), abs=1e-12)


@pytest.mark.parametrize("is_floored", [False, True])
def test_the_spread_out_term_is_what_a_plain_loop_gives(is_floored: bool) -> None:
    found = float(losses.spread_out(batch(), [DIMENSION], is_floored=is_floored))
    assert found == pytest.approx(plain_spread(batch(), is_floored=is_floored), abs=1e-12)


def test_the_distillation_is_what_a_plain_loop_gives() -> None:
    assert float(losses.distillation(batch())) == pytest.approx(plain_distillation(batch()), abs=1e-8)


def test_the_whole_is_the_weighted_sum_with_means_over_the_prefixes() -> None:
    weights = LossWeights(contrastive=1.0, spread=3.0, distillation=0.5, temperature=0.3)
    objective = Objective(weights, (DIMENSION, 4))
    found = float(objective(batch()))
    contrastive = np.mean([plain_contrastive(batch(), weights, prefix) for prefix in (DIMENSION, 4)])
    spread = np.mean([float(losses.spread_out(batch(), [prefix])) for prefix in (DIMENSION, 4)])
    assert found == pytest.approx(contrastive + 3 * spread + 0.5 * plain_distillation(batch()), abs=1e-8)
    assert sum(objective.parts.values()) == pytest.approx(found)


@pytest.mark.parametrize(
    "weights",
    [
        LossWeights(spread=0.0, distillation=0.0, temperature=0.3),
        LossWeights(spread=0.0, distillation=0.0, temperature=0.3, masks_own=True),
        LossWeights(contrastive=0.0, spread=1.0, distillation=0.0),
        LossWeights(contrastive=0.0, spread=1.0, distillation=0.0, is_floored=True),
        LossWeights(contrastive=0.0, spread=0.0, distillation=1.0),
        LossWeights(contrastive=1.0, spread=2.0, distillation=0.5, temperature=0.3),
    ],
    ids=["contrastive", "literal mask", "spread", "floored", "distillation", "all"],
)
def test_the_gradient_is_that_of_small_differences(weights: LossWeights) -> None:
    start = batch()
    # The weights of hard negatives are constants to the gradient, so differences must see them as such.
    weights = replace(weights, hardness=0.0)

    def loss(q: Any, p: Any, n: Any) -> Any:
        changed = Batch(
            **{**{name: getattr(start, name) for name in Batch.__slots__}, "queries": q, "positives": p, "negatives": n}
        )
        return Objective(weights, (DIMENSION, 4))(changed)

    assert start.negatives is not None
    inputs = tuple(x.clone().requires_grad_() for x in (start.queries, start.positives, start.negatives))
    assert torch.autograd.gradcheck(loss, inputs, eps=1e-6, atol=1e-6)


def test_nothing_is_learned_through_the_weight_of_a_hard_negative() -> None:
    similarities = torch.tensor([0.2, 0.9], dtype=torch.float64, requires_grad=True)
    weights = losses.hardness_weights(similarities)
    assert weights.tolist() == pytest.approx([math.exp(1.0), math.exp(4.5)])
    assert not weights.requires_grad


def test_the_slope_is_finite_where_the_base_is_the_teacher() -> None:
    start = batch(requires_grad=True)
    unit = torch.nn.functional.normalize
    own = Batch(
        queries=start.queries,
        positives=start.positives,
        query_ids=start.query_ids,
        passage_ids=start.passage_ids,
        teacher_queries=unit(start.queries.detach(), dim=-1),
        teacher_positives=unit(start.positives.detach(), dim=-1),
    )
    losses.distillation(own).backward()
    assert torch.isfinite(start.queries.grad).all()


def test_a_batch_of_one_text_many_times_has_nothing_to_spread() -> None:
    start = batch()
    same = torch.zeros(SIZE, dtype=torch.long)
    one = Batch(queries=start.queries, positives=start.positives, query_ids=same, passage_ids=same)
    assert float(losses.spread_out(one, [DIMENSION])) == 0.0


def test_distillation_without_a_teacher_is_refused() -> None:
    start = batch()
    bare = Batch(start.queries, start.positives, start.query_ids, start.passage_ids)
    with pytest.raises(ValueError, match="teacher"):
        losses.distillation(bare)
