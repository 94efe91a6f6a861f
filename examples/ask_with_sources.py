"""Answer a question from what is indexed, with sources: python examples/ask_with_sources.py "when does the lease end"."""

import sys

from searchkit import Library
from searchkit.answer import LlmError, open_answerer

question = sys.argv[1]

with Library() as library:
    try:
        answerer = open_answerer(library)  # a model server on this machine, or the embedded model
    except LlmError as error:
        print(f"No language model ({error}) The passages that an answer would be based on:")
        sources = library.search(question, k=3)
    else:
        stream = answerer.answer(question)
        print("".join(stream))
        sources = list(stream.sources)
        answerer.close()

for number, hit in enumerate(sources, 1):
    print(f"[{number}] {hit.path}:{hit.line or ''}  {hit.heading}")
