"""The parts that the search screen is put together from."""
