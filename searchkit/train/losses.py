"""The objective of EmbeddingGemma's technical report (arXiv 2509.20354, equations 2 to 5), over batches of vectors.

Contrastive with hardness weights, spread-out, geometric distillation; the first two on every Matryoshka prefix. The report
publishes neither temperature nor weights: those here were measured (docs/benchmarks.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

_HARDNESS = 5.0  # of equation 3


@dataclass(frozen=True, slots=True)
class Batch:
    """Vectors of B triples before normalisation, each (B, dimension).

    `negatives`: None where no query has a hard one; `has_negative`: (B,) bool, which do, None for all. `query_ids`, `passage_ids`:
    (B,) integers, equal where queries, or passages, are the same. The teacher's vectors, unit length, are needed for
    distillation alone.
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


@dataclass(frozen=True, slots=True)
class LossWeights:
    """What counts how much. `is_floored`: spread-out ends where vectors lie as random ones would, as in Zhang et al. 2017.

    `masks_own`: read the report literally, whose mask takes the query's own positive out of the denominator as well. `hardness`:
    see `hardness_weights`; 0 weighs all hard negatives as 1.
    """

    contrastive: float = 1.0
    spread: float = 0.0
    distillation: float = 1.0
    temperature: float = 0.1
    hardness: float = _HARDNESS
    is_floored: bool = False
    masks_own: bool = False


class Objective:
    """The weighted sum of the terms; `parts` of the last batch, by name, are kept for reports."""

    def __init__(self, weights: LossWeights, prefixes: Sequence[int]) -> None:
        self.weights = weights
        self.prefixes = tuple(prefixes)
        self.parts: dict[str, float] = {}

    def __call__(self, batch: Batch) -> Tensor:
        """The loss: a scalar. Contrastive and spread-out are means over the prefixes."""
        weights = self.weights
        terms: dict[str, Tensor] = {}
        if weights.contrastive:
            each = [contrastive(cut(batch, prefix), weights) for prefix in self.prefixes]
            terms["contrastive"] = weights.contrastive * torch.stack(each).mean()
        if weights.spread:
            each = [spread_out(cut(batch, prefix), is_floored=weights.is_floored) for prefix in self.prefixes]
            terms["spread"] = weights.spread * torch.stack(each).mean()
        if weights.distillation:
            terms["distillation"] = weights.distillation * distillation(batch)
        self.parts = {name: float(term.detach()) for name, term in terms.items()}
        return torch.stack(list(terms.values())).sum() if terms else batch.queries.sum() * 0.0


def cut(batch: Batch, prefix: int) -> Batch:
    """The first `prefix` components of all vectors, unit length. The teacher's are left out."""
    negatives = None if batch.negatives is None else normalize(batch.negatives[:, :prefix], dim=-1)
    return Batch(
        queries=normalize(batch.queries[:, :prefix], dim=-1),
        positives=normalize(batch.positives[:, :prefix], dim=-1),
        query_ids=batch.query_ids,
        passage_ids=batch.passage_ids,
        negatives=negatives,
        has_negative=batch.has_negative,
    )


def contrastive(batch: Batch, weights: LossWeights) -> Tensor:
    """Equation 2 of unit vectors: in-batch negatives, and each query's own hard negative with its weight."""
    own = torch.eye(len(batch.queries), dtype=torch.bool)
    same = batch.query_ids[:, None] == batch.query_ids[None]
    same |= batch.passage_ids[:, None] == batch.passage_ids[None]
    masked = same if weights.masks_own else same & ~own
    logits = batch.queries @ batch.positives.T / weights.temperature
    columns = [logits.masked_fill(masked, -torch.inf)]
    if batch.negatives is not None:
        similarity = (batch.queries * batch.negatives).sum(dim=1)
        hard = similarity / weights.temperature + torch.log(hardness_weights(similarity, weights.hardness))
        if batch.has_negative is not None:
            hard = hard.masked_fill(~batch.has_negative, -torch.inf)
        columns.append(hard[:, None])
    denominator = torch.logsumexp(torch.cat(columns, dim=1), dim=1)
    return (denominator - logits.diagonal()).mean()


def hardness_weights(similarities: Tensor, strength: float = _HARDNESS) -> Tensor:
    """Equation 3: exp(strength * cosine) of queries and their hard negatives, (B,), through which nothing is learned."""
    return torch.exp(strength * similarities.detach())


def spread_out(batch: Batch, *, is_floored: bool = False) -> Tensor:
    """Equation 4 of unit vectors: the mean squared cosine of different queries, and of different passages.

    `is_floored`: Zhang's form instead, the squared mean and what the mean square exceeds 1/dimension by. Texts that are the same
    in the batch are no pair.
    """
    terms = []
    for vectors, ids in ((batch.queries, batch.query_ids), (batch.positives, batch.passage_ids)):
        counts = (ids[:, None] != ids[None]).to(vectors.dtype)
        pairs = counts.sum().clamp(min=1)
        cosines = vectors @ vectors.T * counts
        second = cosines.square().sum() / pairs
        floored = torch.relu(second - 1 / vectors.shape[1]) + (cosines.sum() / pairs).square()
        terms.append(floored if is_floored else second)
    return terms[0] + terms[1]


def distillation(batch: Batch) -> Tensor:
    """Equation 5: mean distances to the teacher's unit vectors, queries, positives and negatives each counting alike.

    Raises ValueError if the batch has none.
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
    """The root has no slope at 0, where training begins if the base is the teacher: a speck keeps it finite."""
    speck = torch.finfo(vectors.dtype).eps
    return ((normalize(vectors, dim=-1) - teacher).square().sum(dim=-1) + speck).sqrt().mean()
