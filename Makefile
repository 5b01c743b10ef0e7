# `make demo` and `make test` are all that a newcomer needs; both set up what they use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Of faults, for `make chaos`.
ROUNDS ?= 4
# A folder with an encoder for GPUs, for `make bench-gpu`.
ENCODER ?=

DOCS := var/site

.PHONY: help demo test docs fuzz chaos bench bench-gpu lint setup setup-dev setup-peers clean

help:
	@echo "make demo   stream a real shop through real workers for about a minute, with a live view"
	@echo "make test   set up, lint, type-check and run all tests (a real Kafka: Docker, or Java with Maven)"
	@echo "make docs   build the pages as a site in $(DOCS); dead links fail"
	@echo "make fuzz   100,000 bad records through a real worker on a real Kafka, and what became of each"
	@echo "make chaos  faults under load, here and with peers: what is lost or doubled; some 10 minutes for each of ROUNDS=4"
	@echo "make bench  throughput, latency and growth beside peers, in about half an hour"
	@echo "make bench-gpu  the text encoder on a GPU; says that it was not run where there is none"
	@echo "make lint   ruff, mypy --strict, import-linter and the published contracts"
	@echo "make clean  remove the virtual environment and local state"

setup: $(VENV)/.serving
setup-dev: $(VENV)/.dev
setup-peers: $(VENV)/.peers

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit("shelfstream needs Python 3.11 or newer; set PYTHON=") if sys.version_info < (3, 11) else 0'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.serving: $(VENV)/bin/python pyproject.toml
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e .
	@touch $@

$(VENV)/.dev: $(VENV)/.serving
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev]'
	@touch $@

$(VENV)/.peers: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,peers]'
	@touch $@

demo: setup
	$(BIN)/shelfstream demo

test: lint docs
	$(BIN)/python -m pytest

docs: setup-dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs $(DOCS)

fuzz: setup-dev
	$(BIN)/python -m tests.fuzz --records 100000 --seed 7

chaos: setup-peers
	$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --output benchmarks/results/chaos

bench: setup-peers
	$(BIN)/python -m benchmarks

bench-gpu: setup-dev
	$(BIN)/python -m benchmarks.gpu $(if $(ENCODER),--encoder $(ENCODER))

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shelfstream contracts check

clean:
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis
