"""The truth about a collection, in one SQLite file: roots, documents, chunks, full text, vectors."""
