"""How a file becomes chunks, in one word: when the word changes, the file is read anew."""

from dataclasses import dataclass

from searchkit.catalog.documents import DocumentRecord
from searchkit.ingest import chunk
from searchkit.ingest.extract import readers
from searchkit.ingest.extract.pdf import ocr
from searchkit.ingest.sandbox.messages import Limits
from searchkit.types import DocumentStatus


@dataclass(frozen=True, slots=True)
class Recipe:
    """Readers, chunking and the model whose tokens are counted; for what could not be read, also the limits.

    `retry`: read again what could not be read, though nothing has changed.
    """

    model_fingerprint: str
    limits: Limits
    can_ocr: bool
    retry: bool = False

    @classmethod
    def here(cls, model_fingerprint: str, limits: Limits, *, retry: bool = False) -> "Recipe":
        """The recipe with what is installed on this machine."""
        return cls(model_fingerprint, limits, not ocr.missing(), retry)

    def name(self, status: DocumentStatus, scanned_pages: int) -> str:
        """The word for a document with this outcome."""
        basis = f"{readers.VERSION}.{chunk.VERSION}/{self.model_fingerprint}"
        if status is DocumentStatus.SKIPPED or scanned_pages:
            limits = self.limits
            basis += f"/{limits.file_bytes},{limits.seconds},{limits.memory_bytes},{'ocr' if self.can_ocr else ''}"
        return basis

    def is_current(self, record: DocumentRecord) -> bool:
        """Whether the same file would be read the same way today."""
        if self.retry and record.status is DocumentStatus.SKIPPED:
            return False
        return record.recipe == self.name(record.status, record.scanned_pages)
