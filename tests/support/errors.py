"""Expectations of errors in tests."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from searchkit.display import error_text
from searchkit.errors import SearchkitError


@contextmanager
def refused(kind: type[SearchkitError], match: str) -> Iterator[pytest.ExceptionInfo[SearchkitError]]:
    """Expect an error of that kind that matches in the words of the command line: the message, and what to do."""
    with pytest.raises(kind) as caught:
        yield caught
    assert re.search(match, error_text(caught.value)), error_text(caught.value)
