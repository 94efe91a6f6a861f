"""A catalog in PostgreSQL, with pgvector: a collection is a schema in the user's own database.

Importing it raises ExtraMissingError if what connects to PostgreSQL is not installed.
"""

from searchkit.errors import Action, ExtraMissingError, Remedy

try:
    import psycopg  # noqa: F401
except ImportError as error:
    raise ExtraMissingError(
        f"Collections in PostgreSQL need psycopg: {error}.", remedy=Remedy(Action.INSTALL_EXTRA, extra="postgres")
    ) from error
