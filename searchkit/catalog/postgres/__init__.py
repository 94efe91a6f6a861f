"""A catalog in PostgreSQL, with pgvector: a collection is a schema in the user's own database."""
