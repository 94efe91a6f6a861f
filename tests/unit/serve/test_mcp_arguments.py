"""Arguments as models send them: understood if they are clear, refused with a remedy if they are invented."""

import pytest

from searchkit.errors import UsageError
from searchkit.serve.mcp.arguments import Count, Text, read_arguments, schema_of
from searchkit.serve.mcp.tools import TOOLS

ARGUMENTS = (
    Text("query", "What to look for.", is_required=True),
    Count("limit", "How many.", usual=5, most=50),
    Text("since", "A date."),
)


def read(**given: object) -> dict[str, str | int]:
    return read_arguments("search", ARGUMENTS, given)


def test_what_is_not_given_has_its_usual_value() -> None:
    assert read(query="roof") == {"query": "roof", "limit": 5, "since": ""}
    assert read(query="roof", limit=None, since=None) == {"query": "roof", "limit": 5, "since": ""}


@pytest.mark.parametrize(
    ("sent", "meant"), [(3, 3), ("3", 3), (3.0, 3), (0, 5), ("", 5), (" 7 ", 7), (10**9, 50), ("99999", 50)]
)
def test_numbers_are_understood_as_models_write_them(sent: object, meant: int) -> None:
    assert read(query="roof", limit=sent)["limit"] == meant


@pytest.mark.parametrize("sent", [-1, 2.5, "five", [5], {"value": 5}, True, "9" * 5000, float("inf"), float("nan")])
def test_what_is_no_number_is_refused(sent: object) -> None:
    with pytest.raises(UsageError, match="limit must be a whole number from 1 to 50") as caught:
        read(query="roof", limit=sent)
    assert len(str(caught.value)) < 200


def test_a_year_may_be_a_number() -> None:
    assert read(query="roof", since=2025)["since"] == "2025"


@pytest.mark.parametrize(("sent", "kind"), [(["a"], "a list"), ({"a": 1}, "an object"), (True, "true or false")])
def test_what_is_no_text_is_refused(sent: object, kind: str) -> None:
    with pytest.raises(UsageError, match=f"query must be a text, not {kind}"):
        read(query=sent)


def test_an_unknown_argument_is_refused_with_the_nearest_one() -> None:
    with pytest.raises(UsageError, match=r"search has no argument 'limits'. Did you mean limit\? Its arguments: query"):
        read(query="roof", limits=3)
    with pytest.raises(UsageError, match=r"status has no argument 'verbose'\. It takes none\."):
        read_arguments("status", (), {"verbose": True})


def test_a_missing_argument_is_named() -> None:
    for given in ({}, {"query": None}):
        with pytest.raises(UsageError, match="search needs the argument query"):
            read(**given)


def test_schemas_hold_plain_types_alone() -> None:
    for tool in TOOLS:
        for schema in (schema_of(tool.arguments), dict(tool.output)):
            assert schema["type"] == "object"
            _assert_plain(schema)
        assert schema_of(tool.arguments)["additionalProperties"] is False


def _assert_plain(schema: object) -> None:
    """No unions, no nulls, no references: what some clients refuse."""
    if isinstance(schema, dict):
        assert not schema.keys() & {"anyOf", "oneOf", "allOf", "$ref", "$defs", "nullable"}
        if "type" in schema and "properties" not in schema.get("type", ""):
            assert isinstance(schema["type"], str | dict)
            assert schema["type"] != "null"
        for value in schema.values():
            _assert_plain(value)
    elif isinstance(schema, list):
        for value in schema:
            _assert_plain(value)
