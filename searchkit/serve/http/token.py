"""The token that programs must show: made once, kept in a file that only the user can read, compared in constant time."""

import hmac
import os
import secrets
import stat
from pathlib import Path

from searchkit.errors import SearchkitError
from searchkit.files import PRIVATE_FILE_MODE, make_private_folder, write_atomically
from searchkit.home import Home

_BYTES = 32
_LEAST_CHARACTERS = 16  # of one that a user has written into the file


def token_file(home: Home) -> Path:
    """Where a data directory keeps its token."""
    return home.token


def read_or_make_token(home: Home) -> str:
    """The token of a data directory; a new one where there is none. Raises SearchkitError for one that protects nothing."""
    file = token_file(home)
    try:
        if not file.exists():
            make_private_folder(home.path)
            write_atomically(file, f"{secrets.token_urlsafe(_BYTES)}\n".encode())
        _keep_private(file)
        token = file.read_text("utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise SearchkitError(
            f"The token in {file} cannot be read or written ({error}). Mend that, or delete the file."
        ) from error
    if len(token) < _LEAST_CHARACTERS or not (token.isascii() and token.isprintable()) or " " in token:
        raise SearchkitError(
            f"The token in {file} must be {_LEAST_CHARACTERS} letters and digits or more. Delete the file: a new one is made."
        )
    return token


def is_token(shown: str, token: str) -> bool:
    """Whether they are the same; takes as long for a wrong one, however much of it is right."""
    return hmac.compare_digest(shown.encode("utf-8", "replace"), token.encode())


def _keep_private(file: Path) -> None:
    """Take a file that others could read away from them; where the system knows no such modes (Windows), the folder is private."""
    if os.name != "nt" and stat.S_IMODE(file.stat().st_mode) & 0o077:
        file.chmod(PRIVATE_FILE_MODE)
