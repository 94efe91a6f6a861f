"""The views `files` and `passages`: documents with their folder and date, and chunks with all that their document says.

They are made for each connection and never stored, so that a catalog on a disk that cannot be written has them as well, and
none has to be migrated when they change. SQLite puts a view into the query that asks it: columns that are not asked for cost
nothing.
"""

_OWN = "json_extract(nullif(d.metadata, ''), '$.date')"
# The moment that a document is of, in ISO 8601: its own date, as far as it says one (perhaps the year alone), else when its
# file was last changed, in local time.
_MOMENT = (
    f"CASE WHEN {_OWN} GLOB '[0-9][0-9][0-9][0-9]' OR {_OWN} GLOB '[0-9][0-9][0-9][0-9]-[0-9][0-9]*' THEN {_OWN}"
    " ELSE strftime('%Y-%m-%dT%H:%M:%S', d.mtime_ns / 1000000000, 'unixepoch', 'localtime') END"
)
# The same for a chunk: in a mailbox, each message is of a day of its own, and a chunk may hold several.
_DAY = "[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]"
_IN_MAILBOX = f"f.format = 'mailbox' AND c.place GLOB '*, {_DAY}*'"
_FIRST_MOMENT = f"CASE WHEN {_IN_MAILBOX} THEN substr(c.place, instr(c.place, ', ') + 2, 10) ELSE f.moment END"
_LAST_MOMENT = (
    f"CASE WHEN {_IN_MAILBOX} AND c.place GLOB '*, {_DAY}' THEN substr(c.place, -10) ELSE {_FIRST_MOMENT} END"
)

VIEWS = (
    f"""
    CREATE TEMP VIEW files AS
    SELECT d.id, r.path AS root, d.path AS name, d.content_hash, d.format, d.status, d.title, d.metadata, d.chunk_count,
        {_MOMENT} AS moment
    FROM documents d JOIN roots r ON r.id = d.root_id
    """,
    f"""
    CREATE TEMP VIEW passages AS
    SELECT c.id, c.document_id, c.ordinal, c.content_hash, f.root, f.name, c.title, c.text, c.page, c.line, c.line_end,
        c.place, f.format, CASE c.ordinal WHEN 0 THEN f.metadata ELSE '' END AS metadata,
        {_FIRST_MOMENT} AS first_moment, {_LAST_MOMENT} AS moment
    FROM chunks c JOIN files f ON f.id = c.document_id
    """,
)
