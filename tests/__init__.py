"""The tests of all three packages; `tests.support` is what they share."""

import os

# Several tests run at once, and processes that they start: threads that wait for each other would only take their time.
# Read when numpy, FAISS or PyTorch is first imported, so set before the first of them is.
os.environ.setdefault("OMP_NUM_THREADS", "1")
