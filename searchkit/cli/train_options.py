"""The options that several ways of training have, and the words for what came of one."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from searchkit.cli.options import FOLDER, PATH, Declaration, EnumChoice, group, option
from searchkit.cli.output import progress_line, say
from searchkit.display import command
from searchkit.embedding.model_info import Quantization
from searchkit.train.options import FinetuneOptions, Method, Precision

if TYPE_CHECKING:
    from searchkit.library import Library
    from searchkit.train.adapter.report import MapReport
    from searchkit.train.distill.install import Graduation
    from searchkit.train.finetune.install import Outcome

EXISTING = click.Path(exists=True, path_type=Path)
POSITIVE, AT_LEAST_0 = click.FloatRange(0, min_open=True), click.FloatRange(0)
NEW_MODEL = option(
    "--name", default="", help="Name of the new model (default: made of the base's and the collection's)."
)
USE_AT_ONCE = option("--use", is_flag=True, help="If it passes, use it for the collection at once.")
EMBED_AND_USE = option(
    "--use", is_flag=True, help="Then embed the collection with the result, and switch it when that is complete."
)
FRESH = option("--fresh", is_flag=True, help="Start over instead of resuming an unfinished run.")
INSTALL_ANYWAY = option("--force", is_flag=True, help="Install the result even if it does not pass.")
MAKE_ANYWAY = option("--force", is_flag=True, help="Make the model even if it does not pass.")
REPORT_FOLDER = option("--out", type=PATH, help="Folder for the report (default: in the data directory).")
GENERAL = option(
    "--general",
    multiple=True,
    type=FOLDER,
    help="A folder in BEIR's layout that must not lose; may be repeated. The bundled one is always checked.",
)
QUANTIZATION = option(
    "--quantization",
    type=EnumChoice(Quantization),
    default=Quantization.INT8.value,
    show_default=True,
    help="How to store the result.",
)


def number(flag: str, default: int, what: str, *, least: int = 1, most: int | None = None) -> Declaration:
    """Declare an option for a whole number, whose help says its default."""
    return option(flag, type=click.IntRange(least, most), default=default, show_default=True, help=what)


def amount(flag: str, default: float, what: str, *, kind: click.FloatRange = POSITIVE) -> Declaration:
    """Declare an option for a number, whose help says its default."""
    return option(flag, type=kind, default=default, show_default=True, help=what)


def seed(default: int, what: str = "The same seed gives the same model.") -> Declaration:
    """Declare the option for the seed."""
    return number("--seed", default, what, least=0, most=2**32 - 1)


def precision(default: Precision) -> Declaration:
    """Declare the option for the precision of training."""
    kind = EnumChoice(Precision)
    return option(
        "--precision", type=kind, default=default.value, show_default=True, help="Precision of the matrix products."
    )


def threads(default: int) -> Declaration:
    """Declare the option for the number of threads; 0 leaves it to PyTorch."""
    return option(
        "--threads",
        type=click.IntRange(1),
        callback=lambda _ctx, _parameter, value: value or default,
        help="Processor threads (default: one for each core).",
    )


def training(default: FinetuneOptions, *, least_epochs: int = 1) -> Declaration:
    """Declare the options of training a checkpoint. A `default.learning_rate` of 0 means each method's own."""
    own_rate = f"{default.learning_rate:g}" if default.learning_rate else "2e-4 for lora, 5e-5 for full"
    own_mix = "" if default.mix else " (default: the one that scores best on validation)"
    declared = {
        "method": option(
            "--method",
            type=EnumChoice(Method),
            default=default.method.value,
            show_default=True,
            help="Train small updates of the encoder (lora), or all of it but the token table (full).",
        ),
        "epochs": number(
            "--epochs",
            default.epochs,
            f"How often each pair is seen{'' if least_epochs else '; 0 for no training, only a fitted head'}.",
            least=least_epochs,
        ),
        "batch_size": number("--batch-size", default.batch_size, "Pairs per step.", least=2),
        "learning_rate": option(
            "--learning-rate",
            type=POSITIVE,
            callback=lambda _ctx, _parameter, value: value or default.learning_rate,
            help=f"Default: {own_rate}.",
        ),
        "lora_rank": number("--rank", default.lora_rank, "Rank of lora's updates.", most=64),
        "max_tokens": number("--max-tokens", default.max_tokens, "Longest training text, in tokens.", least=16),
        "tokens_at_once": number(
            "--memory-tokens",
            default.tokens_at_once,
            "Tokens that are trained through at once; fewer take less memory.",
        ),
        "precision": precision(default.precision),
        "mix": option(
            "--mix",
            type=click.FloatRange(0, 1, min_open=True),
            default=default.mix,
            show_default=default.mix is not None,
            help=f"Share of the tuned weights{own_mix}.",
        ),
        "soup": number("--soup", default.soup, "Best checkpoints to average.", most=8),
        "seed": seed(default.seed, "Seed of everything random."),
        "threads": threads(default.threads),
    }
    return group(FinetuneOptions, **declared)


def use_model(library: "Library", collection: str, model: str) -> None:
    """Embed a collection with a model and switch it; says how to go back."""
    from searchkit.maintenance.switch_model import embed_and_switch

    before = library.collection(collection).embedder().info.name
    with progress_line() as on_progress:
        embed_and_switch(library.collection(collection), model, on_progress)
    say(f"{collection} now uses {model}. To switch back: {command('models', 'use', before, '-c', collection)}")


def say_installed(outcome: "Outcome | Graduation", otherwise: str) -> None:
    """Say whether a checkpoint passed and was installed, and where its report is. `otherwise`: what to do if it was not."""
    from searchkit.train.reports import where_written

    verdict = outcome.proof.verdict
    say(f"{'Passed' if verdict.passed else 'Not passed'}: {verdict.reason}.")
    if outcome.model:
        say(f"Installed as {outcome.model}: {outcome.quantization}, licence {outcome.licence}.")
    else:
        say(otherwise)
    say(where_written(outcome.report, has_figures=True))


def use_or_advise(library: "Library", collection: str, model: str, *, is_used: bool) -> None:
    """Embed the collection with a new model and switch it, or say how; nothing if no model was made or for no collection."""
    if not (model and collection):
        return
    if is_used:
        use_model(library, collection, model)
    else:
        say(f"To search with it: {command('models', 'use', model, '-c', collection, '--embed')}")


def use_adapted(library: "Library", report: "MapReport") -> None:
    """Switch the collection to its adapted model, if one was made."""
    from searchkit.maintenance.switch_model import switch_model

    if report.model:
        switch_model(library.collection(report.collection), report.model)


def say_adapted(report: "MapReport", folder: Path, *, is_used: bool, made_of: str = "") -> None:
    """Say what came of adapting, and how to use it or to go back. `made_of`: what the adapter is."""
    from searchkit.train.reports import where_written

    for remark in report.remarks:
        say(f"Note: {remark}")
    forced = "" if report.verdict.passed else "It did not pass, but was made because of --force: "
    model = f"{report.model}, {made_of}" if made_of else report.model
    if report.model and is_used:
        say(f"{report.collection} now uses {model}. {forced}{report.verdict.reason}")
        say(f"To switch back: {command('models', 'use', report.base, '-c', report.collection)}")
    elif report.model:
        say(f"Made {model}. {forced}{report.verdict.reason}")
        say(f"Use it: {command('models', 'use', report.model, '-c', report.collection)}")
    else:
        say(f"The base stays, {report.base}: {report.verdict.reason}.")
    say(where_written(folder, has_figures=bool(report.targets)))
