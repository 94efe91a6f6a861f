"""How the UI looked when it was last left; what the user sets by hand is config.toml's."""

import json

from searchkit.files import make_private_folder, write_atomically
from searchkit.home import Home

_THEME = "theme"


def kept_theme(home: Home) -> str:
    """The name of the theme that was chosen last, "" if none was, or the file cannot be read."""
    try:
        kept = json.loads(home.theme.read_text("utf-8"))
    except (OSError, ValueError):
        return ""
    theme = kept.get(_THEME, "") if isinstance(kept, dict) else ""
    return theme if isinstance(theme, str) else ""


def keep_theme(home: Home, theme: str) -> None:
    """Note a theme for the next session. Raises OSError."""
    make_private_folder(home.path)
    write_atomically(home.theme, json.dumps({_THEME: theme}).encode())
