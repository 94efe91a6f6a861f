"""How the UI looked when it was last left; what the user sets by hand is config.toml's."""

import json
from pathlib import Path

from searchkit.files import make_private_folder, write_atomically

_FILE = "tui.json"
_THEME = "theme"


def kept_theme(home: Path) -> str:
    """The name of the theme that was chosen last, "" if none was, or the file cannot be read."""
    try:
        kept = json.loads((home / _FILE).read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    theme = kept.get(_THEME, "") if isinstance(kept, dict) else ""
    return theme if isinstance(theme, str) else ""


def keep_theme(home: Path, theme: str) -> None:
    """Note a theme for the next session. Raises OSError."""
    write_atomically(make_private_folder(home) / _FILE, json.dumps({_THEME: theme}).encode())
