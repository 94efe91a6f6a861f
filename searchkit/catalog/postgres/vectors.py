"""The nearest vectors, found by the server: exactly while they are few, and by codes of a bit a component in a graph beyond.

The candidates are ranked again by their full vectors, as those of every index are. Knows no NumPy: a search by words alone passes
through this package too.
"""

import time
from collections.abc import Sequence
from hashlib import blake2b
from math import cos, pi

from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.postgres.fulltext import Sight

EXACT_UP_TO = 20_000  # vectors, all of which are compared: 10 to 20 ms
_COUNTED_SECONDS = 60.0
_NAME = "vectors_bits_"  # of the graphs


class Halves(bytes):
    """A vector in half precision, as the catalog stores it: a value of the type `halfvec`."""


class ServerVectors:
    """Nearest vectors of a schema; see VectorSearch."""

    def __init__(self, schema: str, sight: Sight = Sight.ALL) -> None:
        self._schema = schema
        self._sees_all = sight is not Sight.SOME_ROOTS
        self._few: tuple[float, bool] | None = None  # when what is seen was counted, and whether it is few

    def nearest(
        self, catalog: CatalogReader, fingerprint: str, halves: bytes, k: int, allowed: Sequence[int] | None
    ) -> list[tuple[int, float]]:
        """See VectorSearch."""
        vector, dimension = Halves(halves), len(halves) // 2
        condition, among = ("", ()) if allowed is None else (" AND id = ANY(?)", (list(allowed),))
        if self.graph_bytes(catalog, fingerprint) is None or self._sees_few(catalog, fingerprint):
            rows = catalog.execute(
                f"SELECT id, vector <#> ?1 FROM vectors WHERE model = ?2{condition.replace('?', '?4')}"
                " ORDER BY vector <#> ?1, id LIMIT ?3",
                (vector, fingerprint, k, *among),
            )
            return [(int(each), -float(product)) for each, product in rows]
        codes = f"binary_quantize(vector)::bit({dimension})"
        rows = catalog.execute(
            f"SELECT id, {codes} <~> binary_quantize(?1)::bit({dimension}) FROM vectors"
            f" WHERE model = {_literal(fingerprint)}{condition.replace('?', '?3')}"
            f" ORDER BY {codes} <~> binary_quantize(?1)::bit({dimension}) LIMIT ?2",
            (vector, k, *among),
        )
        return [(int(each), cos(pi * float(different) / dimension)) for each, different in rows]

    def refresh(self, catalog: CatalogWriter, fingerprint: str, dimension: int) -> None:
        """See VectorSearch."""
        name = _name(fingerprint)
        others = catalog.execute(
            "SELECT c.relname, i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND starts_with(c.relname, ?)",
            (self._schema, _NAME),
        ).fetchall()
        for other, is_valid in others:  # of a model that has no vectors any more, or of a run that was killed
            if not is_valid or (other != name and not self._is_used(catalog, other)):
                catalog.execute(f"DROP INDEX IF EXISTS {other}")
        if (name, True) in others:
            return
        if self._are_many(catalog, fingerprint):
            catalog.execute(
                f"CREATE INDEX CONCURRENTLY IF NOT EXISTS {name} ON vectors USING hnsw"
                f" ((binary_quantize(vector)::bit({dimension})) bit_hamming_ops) WHERE model = {_literal(fingerprint)}"
            )

    def graph_bytes(self, catalog: CatalogReader, fingerprint: str) -> int | None:
        """See VectorSearch."""
        row = catalog.execute(
            "SELECT pg_relation_size(c.oid) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
            " JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = ? AND c.relname = ? AND i.indisvalid",
            (self._schema, _name(fingerprint)),
        ).fetchone()
        return None if row is None else int(row[0]) if self._sees_all else 0

    def _sees_few(self, catalog: CatalogReader, fingerprint: str) -> bool:
        """True if only a part is seen, and that is compared sooner than found among the rest; counted now and then."""
        if self._sees_all:
            return False
        if self._few is None or time.monotonic() - self._few[0] > _COUNTED_SECONDS:
            self._few = time.monotonic(), not self._are_many(catalog, fingerprint)
        return self._few[1]

    def _are_many(self, catalog: CatalogReader, fingerprint: str) -> bool:
        """True if not all are compared."""
        many = "SELECT count(*) FROM (SELECT 1 FROM vectors WHERE model = ? LIMIT ?) AS first"
        return int(catalog.execute(many, (fingerprint, EXACT_UP_TO + 1)).fetchone()[0]) > EXACT_UP_TO

    def _is_used(self, catalog: CatalogReader, index: str) -> bool:
        used = catalog.execute("SELECT DISTINCT model FROM vectors")
        return any(_name(str(fingerprint)) == index for (fingerprint,) in used)


def _name(fingerprint: str) -> str:
    return _NAME + blake2b(fingerprint.encode(), digest_size=8).hexdigest()


def _literal(text: str) -> str:
    """A text within a statement: the server uses an index of a part of a table only where it can see which part is meant."""
    return "'" + text.replace("'", "''") + "'"
