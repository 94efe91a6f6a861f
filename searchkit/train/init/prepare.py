"""Checks a request completely before anything is trained, and gathers what a run is made of."""

import hashlib
import json
import shutil
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path

from searchkit.catalog.connection import reading
from searchkit.catalog.passages import all_passages
from searchkit.display import size
from searchkit.embedding.checkpoint import Checkpoint
from searchkit.embedding.model_info import prompts_of_checkpoint
from searchkit.embedding.store import bundled_checkpoint
from searchkit.errors import Action, Option, Remedy, TrainingError, UnsupportedCheckpointError
from searchkit.home import existing_collection
from searchkit.library import Library
from searchkit.train.finetune.base import Base
from searchkit.train.finetune.data import Data, prepare_data
from searchkit.train.finetune.run_folder import RunFolder
from searchkit.train.init.comparison import Judged, cells, held_out, judged_folder
from searchkit.train.init.starts import PROMPTS, is_decoder
from searchkit.train.init.vocabulary import CONFIG, TOKENIZER
from searchkit.train.options import InitOptions
from searchkit.train.pairs.collect import LEAST_HELD_OUT, read_or_mine_pairs
from searchkit.train.pairs.pair import Pair, Split, of_split, one_per_passage

_FREE = ("tokens_at_once", "threads", "checkpoint_minutes")  # how it is computed, not what
_STATES = 24  # times the weights: two networks with the optimizer's numbers, written twice
_OF_RESULT = prompts_of_checkpoint(PROMPTS)


@dataclass(frozen=True, slots=True)
class InitRun:
    """A run. `texts`: of the corpus, without those of held-out documents. `sets`: the queries that are searched in the end.

    `base`: has the tokenizer, and the decoder's weights if it is a decoder. `out`: the new folder for the checkpoint.
    """

    base: Base
    texts: tuple[str, ...]
    data: Data
    sets: tuple[Judged, ...]
    options: InitOptions
    folder: RunFolder
    out: Path
    fresh: bool = False

    @property
    def identity(self) -> str:
        """A digest that is equal for starts of the same run: of base, texts, pairs, and every option that changes the result."""
        options = {name: value for name, value in asdict(self.options).items() if name not in _FREE}
        files = [hashlib.sha256((self.base.folder / name).read_bytes()).hexdigest() for name in (TOKENIZER, CONFIG)]
        weights = self.base.weights_checksum if is_decoder(self.base.checkpoint) else ""
        digest = hashlib.sha256(json.dumps([files, weights, options], sort_keys=True).encode())
        rows = [asdict(row) for row in (*self.data.train, *self.data.validation)]
        sets = [asdict(one) for one in self.sets]
        digest.update(json.dumps([self.texts, rows, sets]).encode("utf-8", "surrogatepass"))
        return digest.hexdigest()[:16]

    def check_space(self, weights: int) -> None:
        """Raise TrainingError unless there is room for the states, and a start and a result of each encoder of so many weights."""
        needed = 4 * weights * (2 * sum(1 for _ in cells(self.options)) + _STATES)
        free = shutil.disk_usage(self.folder.path).free
        if needed > free:
            raise TrainingError(
                f"Training needs {size(needed)} at {self.folder.path}, but only {size(free)} is free.",
                remedy="Make room, or choose another disk (SEARCHKIT_HOME).",
            )


@dataclass(frozen=True, slots=True)
class InitRequest:
    """A request. `collection`: "" for the passages of the pairs alone. `base`: a folder, None for the bundled model's.

    `judged`: folders in BEIR's layout to search besides the held-out pairs.
    """

    collection: str
    out: Path
    base: Path | None = None
    pairs: Path | None = None
    judged: tuple[Path, ...] = ()
    fresh: bool = False


def prepare_run(library: Library, request: InitRequest, options: InitOptions) -> InitRun:
    """Gather a run. Nothing is written.

    Raises TrainingError for too few pairs, UnsupportedCheckpointError for a base without a tokenizer that can be used,
    EvaluationDataError, CollectionNotFoundError.
    """
    base = _open_base(request.base)
    pairs, counts = read_or_mine_pairs(library, request.collection, request.pairs, seed=options.seed)
    data = prepare_data(pairs, _OF_RESULT, counts.left_out)
    sets = []
    test = one_per_passage(of_split(pairs, Split.TEST))
    if len({pair.query for pair in test}) >= LEAST_HELD_OUT:
        sets.append(held_out(pairs, _OF_RESULT.of_query, _OF_RESULT.of_passage, options.seed))
    elif not request.judged:
        raise TrainingError(
            f"There are {len(test)} held-out pairs; {LEAST_HELD_OUT} are needed to compare encoders.",
            remedy=Remedy(Action.CHANGE_OPTION, option=Option.PAIRS, sentence="Name a file of pairs of your own"),
        )
    sets += [judged_folder(folder, _OF_RESULT.of_query, _OF_RESULT.of_passage) for folder in request.judged]
    folder = RunFolder(library.home.finetuning / f"init-{request.out.name}")
    texts = _texts(library, request.collection, pairs)
    return InitRun(base, texts, data, tuple(sets), options, folder, request.out, request.fresh)


def _open_base(folder: Path | None) -> Base:
    """The folder that has the tokenizer. Raises UnsupportedCheckpointError if it has none."""
    chosen = folder or bundled_checkpoint()
    if chosen is None:
        raise TrainingError(
            "The model that comes with searchkit is not installed, so there is no tokenizer to start from.",
            remedy=Remedy(Action.CHANGE_OPTION, option=Option.BASE, sentence="Name a checkpoint folder that has one"),
        )
    checkpoint = Checkpoint(chosen, with_weights=False)
    if is_decoder(checkpoint):
        Checkpoint(chosen)  # which says what is missing of its weights
    for name in (TOKENIZER, CONFIG):
        if not (chosen / name).is_file():
            raise UnsupportedCheckpointError(
                f"{chosen} contains no {name}.", remedy="Name a checkpoint folder that has a fast tokenizer."
            )
    return _Base(chosen, chosen.resolve().name)


class _Base(Base):
    """A checkpoint of which only the tokenizer may be there."""

    @cached_property
    def checkpoint(self) -> Checkpoint:
        """The checkpoint's files."""
        found = Checkpoint(self.folder, with_weights=False)
        return Checkpoint(self.folder) if is_decoder(found) else found


def _texts(library: Library, collection: str, pairs: Sequence[Pair]) -> tuple[str, ...]:
    """The texts to pretrain on: the collection's passages, or those of the pairs; of documents that nothing is held out of."""
    apart = {pair.document for pair in pairs if pair.split is not Split.TRAIN}
    if not collection:
        return tuple(dict.fromkeys(pair.passage.text for pair in pairs if pair.document not in apart))
    with reading(existing_collection(library.home, collection)) as catalog:
        return tuple(dict.fromkeys(one.text for one in all_passages(catalog) if one.path.as_posix() not in apart))
