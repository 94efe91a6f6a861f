from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import click
import pytest
from click.testing import CliRunner

from searchkit.cli.options import PATH, EnumChoice, argument, group, option, with_options
from searchkit.cli.train_finetune import TRAINING as FINETUNING
from searchkit.train.options import FinetuneOptions


class Method(StrEnum):
    LORA = "lora"
    FULL = "full"


@dataclass(frozen=True)
class Training:
    method: Method
    epochs: int


TRAINING = group(
    Training,
    method=option(
        "--method", type=EnumChoice(Method), default=Method.LORA.value, show_default=True, help="What is trained."
    ),
    epochs=option("--epochs", default=4, help="Times each pair is seen."),
)


@dataclass(frozen=True)
class Request:
    collection: Annotated[str, argument()]
    files: Annotated[tuple[Path, ...], option("--file", multiple=True, type=PATH, help="A file of pairs.")]
    training: Annotated[Training, TRAINING]
    as_json: Annotated[bool, option("--json", is_flag=True, help="Print one JSON object.")]


received: list[Request] = []


@click.command()
@with_options(Request)
def learn(request: Request) -> None:
    """Learn from a collection."""
    received.append(request)


def test_a_command_gets_its_options_as_one_value() -> None:
    arguments = ["docs", "--file", "a.jsonl", "--file", "b.jsonl", "--method", "full", "--json"]
    assert CliRunner().invoke(learn, arguments).exit_code == 0
    files = (Path("a.jsonl"), Path("b.jsonl"))
    assert received.pop() == Request("docs", files, Training(Method.FULL, 4), as_json=True)


def test_an_option_that_is_not_given_has_its_default() -> None:
    assert CliRunner().invoke(learn, ["docs"]).exit_code == 0
    request = received.pop()
    assert request == Request("docs", (), Training(Method.LORA, 4), as_json=False)
    assert isinstance(request.training.method, Method)


def test_a_value_that_an_enum_lacks_is_a_usage_error_that_lists_the_others() -> None:
    result = CliRunner().invoke(learn, ["docs", "--method", "half"])
    assert result.exit_code == 2
    assert "'lora', 'full'" in result.output


def test_help_lists_the_options_in_the_order_of_the_fields() -> None:
    output = CliRunner().invoke(learn, ["--help"]).output
    assert "Learn from a collection." in output
    assert "[lora|full]" in output
    assert "[default: lora]" in output
    places = [output.index(flag) for flag in ("--file", "--method", "--epochs", "--json")]
    assert places == sorted(places)


def test_a_field_without_an_option_is_refused_when_the_command_is_declared() -> None:
    @dataclass
    class Incomplete:
        collection: str

    with pytest.raises(TypeError, match="collection of Incomplete"):
        with_options(Incomplete)


def test_without_options_finetuning_is_the_same_run_as_ever() -> None:
    """An unfinished run is recognised by the text of its options: 0 is another run than 0.0."""

    @dataclass(frozen=True)
    class Finetuning:
        training: Annotated[FinetuneOptions, FINETUNING]

    given: list[FinetuneOptions] = []

    @click.command()
    @with_options(Finetuning)
    def finetune(request: Finetuning) -> None:
        given.append(request.training)

    assert CliRunner().invoke(finetune, []).exit_code == 0
    assert repr(given) == repr([FinetuneOptions()])
