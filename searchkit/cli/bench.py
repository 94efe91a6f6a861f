"""`searchkit bench`: measure models on this machine, and other engines for comparison."""

import shlex
import sys
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import click

from searchkit.cli.completion import COLLECTION, NearestGroup
from searchkit.cli.options import PATH, argument, option, with_options
from searchkit.cli.output import print_json, say
from searchkit.embedding.engine import Engine as PassageEngine
from searchkit.embedding.engine import require_openvino

if TYPE_CHECKING:
    from searchkit.embedding.onnx_embedder import OnnxEmbedder
    from searchkit.evaluate.speed.bench import Plan
    from searchkit.evaluate.speed.engine import Engine
    from searchkit.library import Library

SECTIONS = ["load", "speed", "latency", "search", "cosines", "retrieval"]
_FOREIGN = ["sentence-transformers", "exported", "llama-cpp"]
FORMS = [
    "openvino-bf16",
    "openvino-bf16-one-stream",
    "openvino-int8-dynamic",
    "openvino-int8-static",
    "onnxruntime-int8-dynamic",
]  # engine.ExportedForm, which takes long to load


@dataclass(frozen=True, slots=True)
class _Request:
    models: Annotated[tuple[str, ...], argument(nargs=-1, metavar="[MODEL]...")]
    threads: Annotated[
        int | None, option("--threads", type=click.IntRange(1), help="Threads per engine (default: all cores).")
    ]
    rounds: Annotated[int | None, option("--rounds", type=click.IntRange(1), help="Alternating rounds (default: 7).")]
    quick: Annotated[
        bool, option("--quick", is_flag=True, help="Few rounds of few texts: an impression, not a measurement.")
    ]
    only: Annotated[
        tuple[str, ...],
        option("--only", multiple=True, type=click.Choice(SECTIONS), help="This section only; may be repeated."),
    ]
    texts: Annotated[
        Path | None,
        option("--texts", type=PATH, help="JSON lines with one text each: cut for speed, unchanged for cosines."),
    ]
    corpus: Annotated[
        Path | None, option("--corpus", type=PATH, help="JSON lines with one text each, for speed at mixed lengths.")
    ]
    retrieval: Annotated[
        tuple[Path, ...],
        option("--retrieval", type=PATH, multiple=True, help="Folder in BEIR's layout, for nDCG@10; may be repeated."),
    ]
    reference: Annotated[
        str,
        option("--reference", default="", help="Installed fp32 model that cosines and nDCG@10 are compared with."),
    ]
    collection: Annotated[
        str, option("-c", "--collection", type=COLLECTION, default="", help="Collection to search from a shell.")
    ]
    query: Annotated[
        str,
        option(
            "--query",
            default="how to change the settings after an update",
            show_default=True,
            help="For --collection.",
        ),
    ]
    engine: Annotated[
        tuple[str, ...],
        option(
            "--engine",
            multiple=True,
            type=click.Choice([each.value for each in PassageEngine]),
            help="The first model's passages on this engine too (default: the chosen one alone); may be repeated.",
        ),
    ]
    sentence_transformers: Annotated[
        Path | None,
        option("--sentence-transformers", type=PATH, help="Checkpoint folder to compare with, run in fp32 and bf16."),
    ]
    exported: Annotated[
        Path | None,
        option(
            "--exported", type=PATH, help="Checkpoint folder to compare with, exported by PyTorch to other engines."
        ),
    ]
    form: Annotated[
        tuple[str, ...],
        option(
            "--form",
            multiple=True,
            type=click.Choice(FORMS),
            default=FORMS[:1],
            show_default=True,
            help="What --exported exports to; may be repeated.",
        ),
    ]
    llama_cpp: Annotated[
        Path | None, option("--llama-cpp", type=PATH, help="GGUF file to compare with, run in llama.cpp.")
    ]
    python_for: Annotated[
        tuple[str, ...],
        option(
            "--python-for",
            multiple=True,
            metavar="ENGINE=PATH",
            help="Interpreter in which one of these three engines is installed.",
        ),
    ]
    as_json: Annotated[
        bool, option("--json", is_flag=True, help="Print one JSON object (fields: searchkit docs json).")
    ]


@click.group(cls=NearestGroup)
def bench() -> None:
    """Measure speed and quality on this machine.

    \b
    Example:
      searchkit bench embed --quick
    """


@bench.command(short_help="Measure embedding: speed, latency, memory, and fidelity to fp32.")
@with_options(_Request)
def embed(request: _Request) -> None:
    """Measure embedding: speed, latency, load time, memory, and fidelity to fp32.

    The first MODEL (default: the best one installed) is compared with the others and with other engines. All embed the
    same texts alternately, each in its own process. Do not use the machine meanwhile.

    \b
    Examples:
      searchkit bench embed --quick
      searchkit bench embed --sentence-transformers ~/embeddinggemma-300m
      searchkit bench embed embeddinggemma-300m embeddinggemma-300m-fp32 --only speed
    """
    from searchkit.evaluate.speed.bench import Bench
    from searchkit.evaluate.speed.report import report_as_json, report_as_text
    from searchkit.library import Library

    with Library() as library:
        plan = _plan(library, request)
    with Bench(plan, say if sys.stderr.isatty() else _say_nothing) as running:
        report = running.run(shlex.join(["searchkit", *sys.argv[1:]]))
    if request.as_json:
        print_json([report_as_json(report)])
    else:
        click.echo(report_as_text(report))


def _plan(library: "Library", request: _Request) -> "Plan":
    """Build the plan from the options; everything that they name is opened before anything is measured."""
    from searchkit.embedding.onnx_embedder import usable_cores
    from searchkit.evaluate.beir import read_beir, read_passages
    from searchkit.evaluate.speed.bench import FULL, QUICK, SAMPLE_PASSAGES, Plan, Section
    from searchkit.evaluate.speed.engine import model_engine

    _check_data(request)
    threads = request.threads or usable_cores()
    opened = [library.models.open(name) for name in dict.fromkeys(request.models or [library.models.best()])]
    own = [model_engine(embedder, threads) for embedder in opened]
    others = _other_engines(request, own[0])
    if request.collection:
        library.status(request.collection)  # raises if there is none
    reference = others[0] if request.sentence_transformers else None
    if name := request.reference:
        reference = model_engine(library.models.open(name), threads)
    scale = QUICK if request.quick else FULL
    return Plan(
        engines=(*own, *others),
        variants=_variants(opened[0], threads, request.engine),
        reference=reference,
        passages=read_passages(request.texts) if request.texts else SAMPLE_PASSAGES,
        corpus=read_passages(request.corpus) if request.corpus else (),
        retrieval=[read_beir(folder) for folder in request.retrieval],
        collection=request.collection,
        query=request.query,
        sections=frozenset(Section(name) for name in request.only or Section),
        scale=replace(scale, rounds=request.rounds or scale.rounds),
    )


def _variants(embedder: "OnnxEmbedder", threads: int, engines: Sequence[str]) -> "tuple[Engine, ...]":
    """The subject on one thread, and its passages on other engines. Raises ModelError for one that is not installed."""
    from searchkit.evaluate.speed.engine import model_engine

    name = embedder.info.name
    if set(engines) - {PassageEngine.ONNX_RUNTIME}:
        require_openvino()
    variants = [model_engine(embedder, threads, name=f"{name} on {engine}", engine=engine) for engine in engines]
    return *variants, *([model_engine(embedder, 1, name=f"{name}, 1 thread")] if threads > 1 else [])


def _check_data(request: _Request) -> None:
    """Raise click.UsageError for a requested section without data."""
    needs = {
        "search": (bool(request.collection), "a collection: -c NAME"),
        "cosines": (
            bool(request.reference or request.sentence_transformers),
            "vectors to compare with: --reference",
        ),
        "retrieval": (bool(request.retrieval), "judged queries: --retrieval FOLDER"),
    }
    for section in request.only:
        given, what = needs.get(section, (True, ""))
        if not given:
            raise click.UsageError(f"--only {section} needs {what}")


def _other_engines(request: _Request, like: "Engine") -> "list[Engine]":
    """Describe the requested foreign engines, sentence-transformers first."""
    from searchkit.evaluate.speed.engine import (
        ExportedForm,
        exported_engine,
        llama_cpp_engine,
        sentence_transformers_engine,
    )

    interpreters = _interpreters(request.python_for)
    found = []
    if checkpoint := request.sentence_transformers:
        for precision in ("fp32", "bf16"):
            python = interpreters["sentence-transformers"]
            found.append(sentence_transformers_engine(checkpoint, python, like, precision=precision))
    if checkpoint := request.exported:
        forms = map(ExportedForm, request.form)
        found += [exported_engine(checkpoint, interpreters["exported"], like, form) for form in forms]
    if file := request.llama_cpp:
        found.append(llama_cpp_engine(file, interpreters["llama-cpp"], like))
    return found


def _interpreters(chosen: Sequence[str]) -> dict[str, str]:
    """Map engines to interpreters; the default is this one."""
    interpreters = dict.fromkeys(_FOREIGN, sys.executable)
    for choice in chosen:
        engine, _, path = choice.partition("=")
        if engine not in interpreters or not path:
            raise click.UsageError(f"--python-for {choice}: expected one of {', '.join(_FOREIGN)}, then =PATH.")
        interpreters[engine] = path
    return interpreters


def _say_nothing(_: str) -> None:
    """Ignore progress."""
