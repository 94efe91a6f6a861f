"""How good and how fast searchkit is, in figures: metrics, data sets with judgements, and measurements against other engines."""
