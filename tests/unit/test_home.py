"""Addresses of databases: what is shown of them, and what config.toml may say."""

import pytest

from searchkit.errors import ConfigError, UsageError
from searchkit.home import DatabaseUrl, databases_in

SECRET = "s3cret"


@pytest.mark.parametrize(
    ("full", "shown"),
    [
        ("postgresql://db.example.org/search", "postgresql://db.example.org/search"),
        ("postgres://db/search", "postgresql://db/search"),
        (f"postgresql://anna:{SECRET}@db:5433/search", "postgresql://anna@db:5433/search"),
        (f"postgresql://anna:{SECRET}@db/search?sslmode=verify-full", "postgresql://anna@db/search"),
        (f"postgresql://db/search?user=anna&password={SECRET}", "postgresql://db/search"),
        (f"postgresql://anna:{SECRET}@one,two:5433/search", "postgresql://anna@one,two:5433/search"),
        ("postgresql:///search?host=/run/postgresql", "postgresql:///search"),
        ("postgresql://anna@db", "postgresql://anna@db"),
        # What is not written as it should be may have any part of the password anywhere.
        (f"postgresql://anna:{SECRET}/x@db/search", "postgresql://…"),
        (f"postgresql://anna:x@{SECRET}@db/search", "postgresql://anna@db/search"),
        (f"postgresql://db?password={SECRET}@x", "postgresql://…"),
        (f"postgresql://db:1?password=x@{SECRET}", "postgresql://…"),
        (f"postgresql://db/search?password=x@{SECRET}", "postgresql://…"),
        (f"postgresql://an na:{SECRET}@db/search", "postgresql://…"),
    ],
)
def test_an_address_is_shown_without_its_secrets(full: str, shown: str) -> None:
    url = DatabaseUrl(full)
    assert str(url) == shown
    assert SECRET not in repr(url)
    assert SECRET not in f"{url} {[url]}"
    message = url.without_secrets(f"invalid URI {full!r}" + f": port {SECRET!r}" * (SECRET in full))
    assert SECRET not in message
    assert full not in message


def test_a_secret_with_signs_is_taken_out_of_messages_in_either_form() -> None:
    url = DatabaseUrl("postgresql://anna:p%40ss%2Fword@db/search?sslpassword=k%26y")
    assert url.without_secrets('for "p@ss/word", p%40ss%2Fword and k&y at db') == 'for "…", … and … at db'


@pytest.mark.parametrize("text", ["", "db/search", "mysql://db/search", "/var/lib/x.db", "postgresql:db"])
def test_what_is_no_address_is_refused_without_being_repeated(text: str) -> None:
    with pytest.raises(UsageError) as refusal:
        DatabaseUrl(text)
    assert not text or text not in str(refusal.value)


@pytest.mark.parametrize(
    "table",
    [
        {"team": {}},
        {"team": {"url": "postgresql://db/x", "model": "y"}},
        {"team": {"url": f"mysql://anna:{SECRET}@db/x"}},
        {"team": f"postgresql://anna:{SECRET}@db/x"},
        {"team": {"url": "postgresql://db/x", "name": "a/b"}},
        {"team": {"name": "b"}},
        {"": {"url": "postgresql://db/x"}},
        {"a/b": {"url": "postgresql://db/x"}},
        7,
    ],
)
def test_tables_that_make_no_sense_are_refused_without_their_secrets(table: object) -> None:
    with pytest.raises(ConfigError) as refusal:
        databases_in(table, origin="config.toml")
    assert "config.toml" in str(refusal.value)
    assert SECRET not in f"{refusal.value} {refusal.value.remedy} {refusal.value.__cause__}"


def test_a_collection_may_have_another_name_in_the_database() -> None:
    read = databases_in(
        {"a": {"url": "postgresql://db/x", "name": "b"}, "c": {"url": "postgresql://db/x", "name": "c"}}, origin=""
    )
    assert read == {"a": DatabaseUrl("postgresql://db/x", "b"), "c": DatabaseUrl("postgresql://db/x")}


def test_a_collection_has_the_address_of_its_table() -> None:
    assert databases_in({"team": {"url": "postgresql://db/x"}}, origin="") == {"team": DatabaseUrl("postgresql://db/x")}
