"""Asks whether training vectors to spread out helps indexes and codes, for several linear maps of a model's vectors.

    python -m benchmarks.spread_out ~/beir/cranfield ~/beir/cisi --quick
    python -m benchmarks.spread_out ~/beir/cranfield ~/beir/cisi ~/beir/xquad --documents /usr/share/doc/git-doc --out night

Folders are in BEIR's layout. Of `--documents` (HTML files) a larger set is made, whose queries are headings that are taken out.
Every set is embedded once with every model, and the vectors are kept in --out. Each finished cell is a line of cells.jsonl there;
the same command continues after an interruption. At the end, and with --report alone, tables and pictures are written.
"""

import argparse
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import monotonic

from benchmarks.spread_out.cells import Cells, Key, cut, keys, mapped, measure
from benchmarks.spread_out.documents import make_set
from benchmarks.spread_out.report import write_report
from benchmarks.spread_out.sets import SEEDS, StudySet, load_set
from benchmarks.spread_out.structures import STRUCTURES
from benchmarks.spread_out.variants import VARIANTS, transform_of
from searchkit.library import Library
from searchkit.reports import Progress
from searchkit_indexes import Structure, is_installed

_QUICK_VARIANTS = tuple(name for name in VARIANTS if name not in {"spread-out 1", "spread-out 10, floor"})


def main() -> None:
    options = read_options()
    options.out.mkdir(parents=True, exist_ok=True)
    cells = Cells(options.out / "cells.jsonl")
    if not options.report:
        run(options, cells)
    write_report(list(cells.done.values()), options.out)


def read_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", type=Path)
    parser.add_argument(
        "--documents", nargs="+", type=Path, default=[], help="folders with HTML files, for a large set"
    )
    parser.add_argument("--passages", type=int, default=55_000, help="of the large set (default: %(default)s)")
    parser.add_argument("--models", default="embeddinggemma-300m,all-minilm-l6-v2", help="installed ones, with commas")
    parser.add_argument("--variants", default="", help="with semicolons (default: all): " + "; ".join(VARIANTS))
    parser.add_argument("--structures", default="", help="with commas (default: all): " + ", ".join(STRUCTURES))
    parser.add_argument("--prefixes", default="", help="with commas (default: the whole vector, 512, 256, 128)")
    parser.add_argument("--seeds", type=int, default=SEEDS, choices=range(1, SEEDS + 1))
    parser.add_argument("--quick", action="store_true", help="one seed, two prefixes, fewer variants: about 15 minutes")
    parser.add_argument("--finetune", action="store_true", help="also fine-tune the small model, hours")
    parser.add_argument("--embed-only", action="store_true", help="make and embed the sets, and stop")
    parser.add_argument("--report", action="store_true", help="only write the report of what is there")
    parser.add_argument("--out", type=Path, default=Path("spread-out-results"))
    options = parser.parse_args()
    for named, known in ((options.variants.split(";"), VARIANTS), (options.structures.split(","), STRUCTURES)):
        if unknown := {name for name in named if name} - set(known):
            parser.error(f"unknown: {', '.join(sorted(unknown))}; known: {', '.join(known)}")
    return options


def run(options: argparse.Namespace, cells: Cells) -> None:
    """Measure what is missing, one seed after the other, so that a part of the study is a whole one with fewer seeds."""
    folders = list(options.folders)
    if options.documents:
        large = options.out / "documents"
        if not (large / "qrels" / "test.tsv").is_file():
            make_set(options.documents, large, most=options.passages)
        folders.append(large)
    sets = list(embedded(folders, options.models.split(","), options.out / "vectors"))
    if options.embed_only:
        return
    structures = options.structures.split(",") if options.structures else list(STRUCTURES)
    if not is_installed(Structure.HNSWLIB):
        print("hnswlib is left out: pip install -e '.[hnsw]'")
        structures = [name for name in structures if name != "hnswlib"]
    variants = options.variants.split(";") if options.variants else (_QUICK_VARIANTS if options.quick else VARIANTS)
    for seed in range(1 if options.quick else options.seeds):
        for data in sets:
            prefixes = [int(each) for each in options.prefixes.split(",")] if options.prefixes else data.prefixes
            prefixes = list(dict.fromkeys((prefixes[0], prefixes[-1]) if options.quick else prefixes))
            measure_missing(data, keys(data, variants, seed, prefixes, structures), cells)
        if options.finetune:
            measure_finetuned(options, seed, structures, cells)


def measure_finetuned(options: argparse.Namespace, seed: int, structures: Sequence[str], cells: Cells) -> None:
    """Fine-tune the small model on each set that has titles, and measure it as variants of its base."""
    from benchmarks.spread_out.finetuned import FINETUNED, Place, finetuned_set  # PyTorch and transformers

    with Library() as library:
        for folder in options.folders:
            for variant in FINETUNED:
                data = finetuned_set(Place(library, folder, options.out), variant, seed, _Printer())
                if data is not None:
                    measure_missing(data, keys(data, [variant], seed, data.prefixes, structures), cells)


def embedded(folders: Sequence[Path], models: Sequence[str], cache: Path) -> Iterator[StudySet]:
    """Each set with each model, the small sets first."""
    with Library() as library:
        for folder in folders:
            for model in models:
                yield load_set(library.home, folder, library.models.open(model), cache, _Printer())


class _Printer:
    """Prints progress every half minute."""

    def __init__(self) -> None:
        self._printed = monotonic()

    def __call__(self, progress: Progress) -> None:
        if monotonic() - self._printed > 30:
            self._printed = monotonic()
            print(f"{progress.stage}: {progress.done:,} of {progress.total or 0:,} {progress.unit}", flush=True)


def measure_missing(data: StudySet, wanted: Sequence[Key], cells: Cells) -> None:
    """Measure those cells that are not there yet."""
    missing = [key for key in wanted if key not in cells.done]
    for variant in dict.fromkeys(key.variant for key in missing):
        own = [key for key in missing if key.variant == variant]
        started = monotonic()
        whole = mapped(
            data, transform_of(variant, data, own[0].seed) if variant in VARIANTS else transform_of("base", data, 0)
        )
        for prefix in dict.fromkeys(key.prefix for key in own):
            at_prefix = cut(whole, prefix)
            for key in own:
                if key.prefix == prefix:
                    cells.put(measure(key, at_prefix))
        print(f"{data.model} {data.name} {variant}, seed {own[0].seed}: {monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
