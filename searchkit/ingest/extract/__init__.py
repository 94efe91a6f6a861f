"""Files become blocks of text with provenance: a module a format, chosen by the file's name."""
