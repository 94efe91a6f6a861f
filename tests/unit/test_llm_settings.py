"""The table [llm] of config.toml: read, overridden by the environment, kept when other settings are saved."""

from dataclasses import replace
from pathlib import Path

import pytest

from searchkit.config import LlmSettings, Settings, load_settings, save_settings, saved_settings
from searchkit.errors import ConfigError
from searchkit.home import Home
from tests.support.files import write


def test_the_table_is_read_and_kept(tmp_path: Path) -> None:
    write(
        tmp_path / "config.toml", 'max_file_seconds = 9\n\n[llm]\nbase_url = "http://127.0.0.1:8080"\ncontext = 4096\n'
    )
    settings = load_settings(Home(tmp_path))
    assert settings.llm == LlmSettings(base_url="http://127.0.0.1:8080", context=4096)
    save_settings(Home(tmp_path), replace(settings, model="x"))
    assert load_settings(Home(tmp_path)) == replace(settings, model="x")


def test_the_environment_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "config.toml", '[llm]\nbase_url = "http://127.0.0.1:8080"\nmodel = "a"\n')
    monkeypatch.setenv("SEARCHKIT_LLM_URL", "http://127.0.0.1:1234")
    monkeypatch.setenv("SEARCHKIT_LLM_CONTEXT", "2048")
    assert load_settings(Home(tmp_path)).llm == LlmSettings(base_url="http://127.0.0.1:1234", model="a", context=2048)


def test_what_the_environment_says_is_not_among_what_is_saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path / "config.toml", "max_file_seconds = 9\n")
    for variable, value in (
        ("SEARCHKIT_MODEL", "other"),
        ("SEARCHKIT_MAX_FILE_SECONDS", "3"),
        ("SEARCHKIT_LLM_MODEL", "a"),
        ("SEARCHKIT_SERVE_PORT", "8000"),
    ):
        monkeypatch.setenv(variable, value)
    assert load_settings(Home(tmp_path)).serve.port == 8000
    assert saved_settings(Home(tmp_path)) == Settings(max_file_seconds=9)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('[llm]\nbase_ulr = "x"', "Did you mean 'base_url'"),
        ("[llm]\ncontext = -1", "positive whole number"),
        ("llm = 3", "must be a table"),
        ('[lmm]\nmodel = "x"', "Did you mean 'llm'"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, text: str, message: str) -> None:
    write(tmp_path / "config.toml", text)
    with pytest.raises(ConfigError, match=message):
        load_settings(Home(tmp_path))
