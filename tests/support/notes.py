"""120 made notes, each with a title that its text answers in words of its own."""

import random
from collections.abc import Iterator
from typing import NamedTuple

SUBJECTS = "roses bread boiler lease piano bicycle tax garden insurance kitchen cellar holiday".split()
MATTERS = "repair costs history cleaning buying storing measuring sharing painting moving".split()
_FILLERS = "then after during before old new large small slowly often never always cheap dear".split()


class MadeNote(NamedTuple):
    """A note about a matter of a subject."""

    subject: str
    matter: str
    title: str
    text: str

    @property
    def markdown(self) -> str:
        """The note as a file."""
        return f"# {self.title}\n\n{self.text}\n"


def made_notes() -> Iterator[MadeNote]:
    """All notes, always the same."""
    rng = random.Random(0)
    for subject in SUBJECTS:
        for matter in MATTERS:
            words = " ".join(rng.choices(_FILLERS, k=12))
            text = f"With {subject} one minds {matter}: {words}. A neighbour had his {subject} looked at for {matter} {words}."
            yield MadeNote(subject, matter, f"The {matter} of our {subject}", text)
