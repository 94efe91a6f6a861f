"""Encoders from decoders: pretraining on a corpus, encoder-decoder adaptation, and the comparison with other starts."""
