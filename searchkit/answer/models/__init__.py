"""Language models on this machine: finding one, and talking to it."""
