"""The data directory: where everything that searchkit keeps has its place."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Home:
    """A data directory. Its properties are places in it, whether anything lies there yet or not."""

    path: Path

    def __fspath__(self) -> str:
        return str(self.path)

    def __str__(self) -> str:
        return str(self.path)

    @classmethod
    def default(cls) -> "Home":
        """The user's own: SEARCHKIT_HOME, else the platform's place for user data."""
        if named := os.environ.get("SEARCHKIT_HOME"):
            return cls(Path(named).expanduser().absolute())
        import platformdirs

        return cls(Path(platformdirs.user_data_dir("searchkit", appauthor=False)))

    @property
    def collections(self) -> Path:
        """The folder with a folder for each collection."""
        return self.path / "collections"

    @property
    def models(self) -> Path:
        """The folder with a folder for each model."""
        return self.path / "models"

    @property
    def downloads(self) -> Path:
        """Parts of models that are being fetched."""
        return self.path / "downloads"

    @property
    def evaluation(self) -> "Home":
        """A data directory of its own for collections that are made of judged corpora."""
        return Home(self.path / "eval")

    @property
    def finetuning(self) -> Path:
        """The folder with a folder for each run of fine-tuning: its checkpoints and its log."""
        return self.path / "training"

    @property
    def finetuning_reports(self) -> Path:
        """The folder with the report of each fine-tuned model."""
        return self.path / "train" / "finetune"

    @property
    def click_log(self) -> Path:
        """Searches with the hits that were opened from them, if the user has them kept."""
        return self.path / "train" / "opened.jsonl"

    @property
    def token(self) -> Path:
        """What programs must show to the server."""
        return self.path / "serve-token"

    @property
    def daemon_address(self) -> Path:
        """Where a running daemon listens."""
        return self.path / "engine.json"

    @property
    def config(self) -> Path:
        """The user's settings."""
        return self.path / "config.toml"

    @property
    def history(self) -> Path:
        """Queries of former sessions of the terminal UI."""
        return self.path / "history"

    @property
    def theme(self) -> Path:
        """How the terminal UI looked when it was last left."""
        return self.path / "tui.json"

    def earlier_training(self, collection: str) -> tuple[Path, Path]:
        """Where version 0.1 kept a collection's cached vectors and its reports of training."""
        folder = self.path / "train" / collection
        return folder / "vectors.bin", folder / "reports"

    def earlier_evaluation(self, collection: str) -> Path:
        """Where version 0.1 kept a collection's evaluation."""
        return self.path / "evaluations" / f"{collection}.json"
