"""The objective of EmbeddingGemma's technical report (arXiv 2509.20354, equations 2 to 5), over batches of vectors.

Contrastive with hardness weights, spread-out, geometric distillation; the first two on every Matryoshka prefix. The report
gives neither temperature nor weights; the defaults were measured (docs/benchmarks/training.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from searchkit.train.options import HARDNESS, LossWeights


@dataclass(frozen=True, slots=True)
class Batch:
    """The vectors of B triples before normalisation, each (B, dimension).

    `negatives`: None if no query has a hard one; `has_negative`: (B,) bool, None if all have one. `query_ids`, `passage_ids`: (B,)
    integers, equal for equal queries or passages. The teacher's vectors, of unit length, are needed only for distillation.
    """

    queries: Tensor
    positives: Tensor
    query_ids: Tensor
    passage_ids: Tensor
    negatives: Tensor | None = None
    has_negative: Tensor | None = None
    teacher_queries: Tensor | None = None
    teacher_positives: Tensor | None = None
    teacher_negatives: Tensor | None = None


class Objective:
    """The weighted sum of the terms. `parts`: the terms of the last batch by name, for reports."""

    def __init__(self, weights: LossWeights, prefixes: Sequence[int]) -> None:
        self.weights = weights
        self.prefixes = tuple(prefixes)
        self.parts: dict[str, float] = {}

    def __call__(self, batch: Batch) -> Tensor:
        """Compute the loss, a scalar. Contrastive and spread-out are means over the prefixes."""
        weights, prefixes = self.weights, self.prefixes
        terms: dict[str, Tensor] = {}
        if weights.contrastive:
            terms["contrastive"] = weights.contrastive * contrastive(batch, weights, prefixes)
        if weights.spread:
            terms["spread"] = weights.spread * spread_out(batch, prefixes, is_floored=weights.is_floored)
        if weights.distillation:
            terms["distillation"] = weights.distillation * distillation(batch)
        self.parts = {name: float(term.detach()) for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum() if terms else batch.queries.sum() * 0.0


def prefix_cosines(left: Tensor, right: Tensor, prefixes: Sequence[int]) -> Iterator[Tensor]:
    """(n, m) cosines of the first components of (n, dimension) and (m, dimension) vectors, for each prefix, ascending.

    The products of a shorter prefix are part of those of a longer one, so all together cost no more than the longest.
    """
    products = torch.zeros((len(left), len(right)), dtype=left.dtype, device=left.device)
    for (start, end), lengths in zip(_blocks(prefixes), _prefix_lengths((left, right), prefixes), strict=True):
        products = torch.addmm(products, left[:, start:end], right[:, start:end].T)
        yield products / lengths[0][:, None] / lengths[1][None]


def own_cosines(left: Tensor, right: Tensor, prefixes: Sequence[int]) -> Iterator[Tensor]:
    """(n,) cosines of the rows of two tensors (n, dimension), for each prefix, ascending."""
    products = torch.zeros(len(left), dtype=left.dtype, device=left.device)
    for (start, end), lengths in zip(_blocks(prefixes), _prefix_lengths((left, right), prefixes), strict=True):
        products = products + (left[:, start:end] * right[:, start:end]).sum(dim=1)
        yield products / lengths[0] / lengths[1]


def _blocks(prefixes: Sequence[int]) -> list[tuple[int, int]]:
    """The range of components that each prefix adds to the one before."""
    ends = sorted(prefixes)
    return list(zip([0, *ends], ends, strict=False))


def _prefix_lengths(sides: Sequence[Tensor], prefixes: Sequence[int]) -> Iterator[list[Tensor]]:
    """The lengths (n,) of each side's prefixes, ascending; never 0, because they are divisors."""
    squares = [torch.zeros(len(side), dtype=side.dtype, device=side.device) for side in sides]
    for start, end in _blocks(prefixes):
        squares = [sum_ + side[:, start:end].square().sum(dim=1) for sum_, side in zip(squares, sides, strict=True)]
        yield [each.clamp(min=torch.finfo(each.dtype).tiny).sqrt() for each in squares]


def contrastive(batch: Batch, weights: LossWeights, prefixes: Sequence[int]) -> Tensor:
    """Equation 2, averaged over the prefixes: in-batch negatives, and each query's own hard negative with its weight."""
    masked = _masked(batch, weights)
    negatives: Iterable[Tensor | None] = [None] * len(prefixes)
    if batch.negatives is not None:
        negatives = own_cosines(batch.queries, batch.negatives, prefixes)
    each = []
    for cosines, hard in zip(prefix_cosines(batch.queries, batch.positives, prefixes), negatives, strict=True):
        logits = cosines / weights.temperature
        denominator = torch.logsumexp(logits.masked_fill(masked, -torch.inf), dim=1)
        if hard is not None:
            logit = hard / weights.temperature + torch.log(hardness_weights(hard, weights.hardness))
            if batch.has_negative is not None:
                logit = logit.masked_fill(~batch.has_negative, -torch.inf)
            denominator = torch.logaddexp(denominator, logit)
        each.append((denominator - logits.diagonal()).mean())
    return torch.stack(each).mean()


def _masked(batch: Batch, weights: LossWeights) -> Tensor:
    """(B, B) bool: the positives that are not negatives of a query, because they are equal or belong to an equal query."""
    same = batch.query_ids[:, None] == batch.query_ids[None]
    same |= batch.passage_ids[:, None] == batch.passage_ids[None]
    return same if weights.masks_own else same & ~torch.eye(len(same), dtype=torch.bool, device=same.device)


def hardness_weights(similarities: Tensor, strength: float = HARDNESS) -> Tensor:
    """Equation 3: exp(strength * cosine) of queries and their hard negatives, (B,), without gradient."""
    return torch.exp(strength * similarities.detach())


def spread_out(batch: Batch, prefixes: Sequence[int], *, is_floored: bool = False) -> Tensor:
    """Equation 4, averaged over the prefixes: the mean squared cosine of different queries, and of different passages.

    `is_floored`: Zhang's form instead, the squared mean plus the excess of the mean square over 1/dimension. Equal texts in the
    batch are not a pair.
    """
    each = []
    for vectors, ids in ((batch.queries, batch.query_ids), (batch.positives, batch.passage_ids)):
        differ = (ids[:, None] != ids[None]).to(vectors.dtype)
        pairs = differ.sum().clamp(min=1)
        for prefix, cosines in zip(sorted(prefixes), prefix_cosines(vectors, vectors, prefixes), strict=True):
            second = (cosines * differ).square().sum() / pairs
            first = (cosines * differ).sum() / pairs
            each.append(torch.relu(second - 1 / prefix) + first.square() if is_floored else second)
    return torch.stack(each).sum() / len(prefixes)


def distillation(batch: Batch) -> Tensor:
    """Equation 5: the mean distances to the teacher's unit vectors, equally for queries, positives and negatives.

    Raises ValueError if the batch has no teacher's vectors.
    """
    if batch.teacher_queries is None or batch.teacher_positives is None:
        raise ValueError("distillation needs the teacher's vectors")
    loss = _distance(batch.queries, batch.teacher_queries) + _distance(batch.positives, batch.teacher_positives)
    if batch.negatives is None or batch.teacher_negatives is None:
        return loss
    chosen = slice(None) if batch.has_negative is None else batch.has_negative
    negatives, teacher = batch.negatives[chosen], batch.teacher_negatives[chosen]
    return loss + _distance(negatives, teacher) if len(negatives) else loss


def _distance(vectors: Tensor, teacher: Tensor) -> Tensor:
    """The mean distance. An epsilon keeps the root's gradient finite at 0, where training starts if the base is the teacher."""
    epsilon = torch.finfo(vectors.dtype).eps
    return ((normalize(vectors, dim=-1) - teacher).square().sum(dim=-1) + epsilon).sqrt().mean()
