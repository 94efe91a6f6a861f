"""From pairs to rows: the base's prompts around every text, and a clear refusal of what nothing can be learned from."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from searchkit.embedding.model_info import Prompts
from searchkit.errors import TrainingError
from searchkit.train.finetune.rows import Row
from searchkit.train.pairs.pair import Pair, Split, of_split
from searchkit.train.pairs.texts import squashed

FEWEST_PAIRS = 32  # fewer, and each step sees all of them; what comes of it is what they happen to be
FEWEST_VALIDATION = 8  # queries; with fewer, chance would choose the checkpoint


@dataclass(frozen=True, slots=True)
class Data:
    """What is trained on, and what decides which checkpoint is the best."""

    train: tuple[Row, ...]
    validation: tuple[Row, ...]


def prepare_data(pairs: Sequence[Pair], prompts: Prompts, left_out: Mapping[str, int] = MappingProxyType({})) -> Data:
    """Rows of the training and validation pairs. `left_out`: how many others there were, by reason, for the message.

    Raises TrainingError, with what to do, if there is too little to learn from.
    """
    train, validation = of_split(pairs, Split.TRAIN), of_split(pairs, Split.VALIDATION)
    distinct = {(squashed(pair.query), squashed(pair.passage.text)) for pair in train}
    if len(distinct) < FEWEST_PAIRS:
        copies = {"copies": len(train) - len(distinct)} if len(train) > len(distinct) else {}
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in {**left_out, **copies}.items())
        others = f" (left out: {reasons})" if reasons else ""
        raise TrainingError(
            f"There are {len(distinct)} training pairs{others}; {FEWEST_PAIRS} are the least. Index more documents,"
            " or name a file of pairs of your own: --pairs FILE"
        )
    for what, count in (("documents", _count(train, "document")), ("passages", len({text for _, text in distinct}))):
        if count < FEWEST_VALIDATION:
            raise TrainingError(
                f"All training pairs are from {count} {what}, which gives nothing to tell apart; {FEWEST_VALIDATION} are the"
                " least. Index more documents, or name a file of pairs of your own: --pairs FILE"
            )
    if len({squashed(pair.query) for pair in validation}) < FEWEST_VALIDATION:
        raise TrainingError(
            f"There are {len(validation)} validation pairs; {FEWEST_VALIDATION} different ones are needed to choose the best"
            ' checkpoint. In a file of your own, give some lines "split": "validation".'
        )
    return Data(tuple(_row(pair, prompts) for pair in train), tuple(_row(pair, prompts) for pair in validation))


def _row(pair: Pair, prompts: Prompts) -> Row:
    negative = prompts.of_passage(pair.negatives[0]) if pair.negatives else ""
    source = f"{pair.kind.value}{' with negatives' if negative else ''}"
    return Row(prompts.of_query(pair.query), prompts.of_passage(pair.passage), negative, source)


def _count(pairs: Sequence[Pair], name: str) -> int:
    return len({getattr(pair, name) for pair in pairs})
