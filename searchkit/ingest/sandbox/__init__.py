"""The sandbox around parsers: worker processes that read one file at a time, within limits, and may die of it."""
