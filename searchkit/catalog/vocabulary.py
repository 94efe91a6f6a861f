"""The words of a collection in alphabetical order, with the number of chunks that have each: what corrections look among.

The full-text table knows them too, but reads all places of a word to count them: 3 s for the neighbours of one mistyped word among
250,000 chunks, where this table takes a fiftieth. It is counted again once one chunk in eighty has come or gone, which takes
5 µs a chunk; until then new words are added and words that are gone stay. Whoever uses a word of it asks the full-text table.
Words with digits and in scripts without blanks, which are never corrected, are left out.
"""

from searchkit.catalog import fulltext
from searchkit.catalog.catalog import CatalogReader, CatalogWriter
from searchkit.catalog.meta import set_meta

_COUNTED = "vocabulary"  # chunks and the highest chunk id when all words were counted, and the highest id whose words were added
_MOST_CHANGED = 1 / 80  # of the chunks: counting their words alone would take longer than counting all
# The second condition: from the first CJK radical to the last sign before the Hangul syllables, which have blanks between words.
_IS_KEPT = "term NOT GLOB '*[0-9]*' AND unicode(term) NOT BETWEEN 0x2E80 AND 0xABFF"
_ADD = (
    f"INSERT INTO vocabulary SELECT term, doc FROM {{terms}} WHERE {_IS_KEPT}"
    " ON CONFLICT (term) DO UPDATE SET chunks = chunks + excluded.chunks"
)


def create(catalog: CatalogWriter) -> None:
    """Create the table in a database."""
    catalog.execute("CREATE TABLE vocabulary (term TEXT PRIMARY KEY, chunks INTEGER NOT NULL) WITHOUT ROWID")


def is_counted(catalog: CatalogReader) -> bool:
    """True once a run has counted the words."""
    return bool(catalog.meta(_COUNTED))


def refresh(catalog: CatalogWriter) -> None:
    """Bring the table up to date after chunks have been stored or removed."""
    counted, newest_counted, seen = map(int, (catalog.meta(_COUNTED) or "0 0 0").split())
    chunks, newest = catalog.execute("SELECT count(*), coalesce(max(id), 0) FROM chunks").fetchone()
    (added,) = catalog.execute("SELECT count(*) FROM chunks WHERE id > ?", (newest_counted,)).fetchone()
    removed = counted + added - chunks
    with catalog.transaction():
        if added + removed > chunks * _MOST_CHANGED or not counted:
            count_all(catalog)
        elif newest > seen:
            _add_words_since(catalog, seen)
            set_meta(catalog, _COUNTED, f"{counted} {newest_counted} {newest}")


def count_all(catalog: CatalogWriter) -> None:
    """Count all words again, in a transaction of the caller; those that no chunk has any more go."""
    chunks, newest = catalog.execute("SELECT count(*), coalesce(max(id), 0) FROM chunks").fetchone()
    catalog.change("DELETE FROM vocabulary")
    catalog.change(_ADD.format(terms="fulltext_terms"))
    set_meta(catalog, _COUNTED, f"{chunks} {newest} {newest}")


def _add_words_since(catalog: CatalogWriter, seen: int) -> None:
    """Add the words of chunks with higher ids, by a full-text table that is dropped again."""
    catalog.execute(f"CREATE VIRTUAL TABLE temp.added USING {fulltext.COLUMNS}")
    catalog.execute("CREATE VIRTUAL TABLE temp.added_terms USING fts5vocab(temp, added, row)")
    documents = catalog.execute("SELECT DISTINCT document_id FROM chunks WHERE id > ?", (seen,)).fetchall()
    for (document_id,) in documents:
        fulltext.insert_chunks(catalog, document_id, into="temp.added", after=seen)
    catalog.change(_ADD.format(terms="temp.added_terms"))
    catalog.execute("DROP TABLE temp.added_terms")
    catalog.execute("DROP TABLE temp.added")


def words_beginning(
    catalog: CatalogReader, beginning: str, limit: int, lengths: tuple[int, int] = (1, 1_000_000)
) -> dict[str, int]:
    """The first words with a beginning, in alphabetical order, and the number of chunks with each, as far as it is known.

    `lengths`: the least and the most letters of a word. Before the first run has ended, the full-text table is asked.
    """
    table = "vocabulary" if is_counted(catalog) else "(SELECT term, doc AS chunks FROM fulltext_terms)"
    rows = catalog.execute(
        f"SELECT term, chunks FROM {table} WHERE term >= ? AND term < ? AND length(term) BETWEEN ? AND ? LIMIT ?",
        (beginning, f"{beginning}\U0010ffff", *lengths, limit),
    )
    return dict(rows.fetchall())
