"""Numbers, dates and references that people write in many ways: no text stops them from being read."""

import random

import pytest

from searchkit.catalog.values import canonical, values

SIGNS = "0123456789 .,-+/()'%€:#ABx年月日٠١٢००MaiMay"
MOSTLY_NOTHING = "0012 .,-+/()"


@pytest.mark.parametrize("seed", range(4))
def test_any_text_is_read_and_no_value_has_an_empty_name(seed: int) -> None:
    drawn = random.Random(seed)
    for _ in range(4000):
        kinds = drawn.choice((SIGNS, MOSTLY_NOTHING))
        text = "".join(drawn.choice(kinds) for _ in range(drawn.randint(1, 24)))
        for is_typed in (False, True):
            found = values(text, is_typed=is_typed)
            assert all(name for value in found for name in value.names), text
        assert isinstance(canonical(text), str)
