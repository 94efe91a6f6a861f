"""A folder becomes chunks with vectors: discover, extract, chunk, mirror, embed."""
