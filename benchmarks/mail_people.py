"""How mail from and to a named person is ranked against mentions, by the person's weight, in a made collection.

python -m benchmarks.mail_people          (words alone; --home DIR with a model: hybrid too, --documents 400 for a quicker run)

Twenty people write to each other about forty subjects; replies and notes mention both. Of a query such as "anna boiler" the mails
from her about it are worth 3, those to her 2, what mentions both 1.
"""

import argparse
import random
import shutil
import tempfile
from email.message import EmailMessage
from pathlib import Path

from searchkit.evaluate.metrics import ndcg_at
from searchkit.library import Library
from searchkit.search.lexical import exact_matches
from searchkit.search.request import SearchRequest
from searchkit.types import SearchMode

WEIGHTS = (0.0, 0.1, 0.2, 0.3, 0.5, 1.0, 2.0)
NAMES = (
    "Anna Müller, Bernd Schröder, Carla Rossi, David Cohen, Elena Petrova, Farid Haddad, Grace Hopper, Hanna Virtanen, "
    "Ivan Horvat, Julia Novak, Kenji Sato, Laura García, Marco Bianchi, Nina Berg, Omar Aziz, Paula Santos, Rose Baker, "
    "Sven Larsson, Tara Singh, Ute Krämer"
).split(", ")
SUBJECTS = (
    "boiler, roof, lease, invoice, garden, elevator, insurance, parking, heating, kitchen, stairs, windows, contract, budget, "
    "holiday, printer, server, password, training, conference, poster, catering, visa, passport, bicycle, piano, library, museum, "
    "harbour, vineyard, orchard, greenhouse, chimney, gutter, mailbox, doorbell, carpet, curtain, radiator, thermostat"
).split(", ")
SENTENCES = (
    "The {} has to be looked at before the end of the month.",
    "I have asked for two offers about the {}.",
    "Nobody has paid for the {} so far.",
    "There was a long talk about the {} at the meeting.",
    "Please send me what you have on the {}.",
    "The {} works again since Tuesday.",
)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--home", type=Path, help="a data directory with a model")
    options.add_argument("--queries", type=int, default=200)
    options.add_argument("--documents", type=int, default=1200)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory() as place:
        home = Path(place) / "home"
        if asked.home:
            shutil.copytree(asked.home, home)
        judged = write(Path(place) / "mails", random.Random(7), asked.queries, asked.documents)
        with Library(home) as library:
            library.index(Path(place) / "mails")
            modes = (SearchMode.LEXICAL, SearchMode.HYBRID) if asked.home else (SearchMode.LEXICAL,)
            for weight in WEIGHTS:
                exact_matches._FROM, exact_matches._TO = weight, weight / 2
                scores = " ".join(f"{mode}: {mean(library, judged, mode):.3f}" for mode in modes)
                print(f"{weight:4.1f}  {scores}")


def write(folder: Path, chance: random.Random, queries: int, documents: int) -> dict[str, dict[str, int]]:
    """Write the collection, and return the value of each file for each query."""
    folder.mkdir()
    judged: dict[str, dict[str, int]] = {}
    for number in range(documents):
        (sender, to, other), subject = chance.sample(NAMES, 3), chance.choice(SUBJECTS)
        is_note = number % 4 == 0
        said = " ".join(sentence.format(subject) for sentence in chance.sample(SENTENCES, 3))
        besides = chance.choice(SENTENCES).format(chance.choice(SUBJECTS))
        text = f"{said}\n\n{other} knows more about it; ask {other.split()[0]}. {besides}\n"
        name = f"{number}.{'txt' if is_note else 'eml'}"
        (folder / name).write_bytes(text.encode() if is_note else mail(sender, to, subject, text))
        for person, value in ((other, 1), *(() if is_note else ((to, 2), (sender, 3)))):
            judged.setdefault(f"{person.split()[0]} {subject}", {})[name] = value
    wanted = [query for query, values in judged.items() if {1, 3} <= set(values.values())]
    return {query: judged[query] for query in chance.sample(wanted, min(queries, len(wanted)))}


def mail(sender: str, to: str, subject: str, text: str) -> bytes:
    message = EmailMessage()
    message["From"], message["To"] = (f"{name} <{name.split()[0].lower()}@example.org>" for name in (sender, to))
    message["Subject"], message["Date"] = f"About the {subject}", "Mon, 10 Mar 2025 09:00:00 +0100"
    message.set_content(text)
    return bytes(message)


def mean(library: Library, judged: dict[str, dict[str, int]], mode: SearchMode) -> float:
    """The mean nDCG@10 of the queries."""
    scores = []
    for query, values in judged.items():
        hits = library.find(SearchRequest(query, 10, mode=mode)).hits
        scores.append(ndcg_at(10, [hit.path.name for hit in hits], values))
    return sum(scores) / len(scores)


if __name__ == "__main__":
    main()
