# `make demo` and `make test` are all that a newcomer needs. Both install what they use.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Rounds of faults, for `make chaos`.
ROUNDS ?= 4
# The `shelfstream` program of another version, for `make rolling`.
OTHER ?=

DOCS := var/site

# Python versions for `make test-versions`, besides that of the virtual environment.
VERSIONS ?= 3.12 3.13 3.14

.PHONY: help demo test docs test-versions floors lock sbom audit licenses fuzz chaos rolling bench bench-gpu lint setup setup-dev setup-peers setup-supply clean

help:
	@echo "make demo   stream a real shop through real workers for about a minute, with a live view"
	@echo "make test   set up, lint, type-check and run all tests (a real Kafka: Docker, or Java with Maven)"
	@echo "make docs   build the pages as a site in $(DOCS); dead links fail"
	@echo "make fuzz   100,000 bad records through a real worker on a real Kafka, and the outcome of each"
	@echo "make chaos  faults of three brokers, then faults under load beside peers: half an hour, and 10 minutes a round of ROUNDS=4"
	@echo "make rolling OTHER=PROGRAM  workers of another version's shelfstream program take turns with ours"
	@echo "make bench  throughput, latency and growth beside peers, in about half an hour"
	@echo "make bench-gpu  the whole classifier on a GPU; says that it was not run where there is none"
	@echo "make test-versions  the tests that need no Kafka, on each of Python $(VERSIONS) that is installed"
	@echo "make floors  the same with the oldest dependencies that pyproject.toml allows"
	@echo "make lock | sbom | audit | licenses  the lock file; bill of materials, known vulnerabilities and licenses of it"
	@echo "make lint   ruff, mypy --strict, import-linter and the published contracts"
	@echo "make clean  remove the virtual environment and local state"

setup: $(VENV)/.serving
setup-dev: $(VENV)/.dev
setup-peers: $(VENV)/.peers
setup-supply: $(VENV)/.supply

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

$(VENV)/.supply: $(VENV)/.dev
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -e '.[dev,supply]'
	@touch $@

# What a deployment from the lock file has, and nothing else.
var/locked/.done: requirements.lock $(VENV)/.supply
	$(BIN)/uv venv --quiet --clear var/locked
	$(BIN)/uv pip install --quiet --python var/locked/bin/python --require-hashes -r requirements.lock
	@touch $@

demo: setup
	$(BIN)/shelfstream demo

test: lint docs
	$(BIN)/python -m pytest --numprocesses auto --maxprocesses 4 --dist worksteal --durations=10 --durations-min=5

docs: setup-dev
	$(BIN)/sphinx-build -W --keep-going -q -b html docs $(DOCS)

# A version is looked for on the path, then among pyenv's.
test-versions: setup-supply
	for version in $(VERSIONS); do \
	  python=$$(command -v python$$version); "$$python" -c '' 2> /dev/null || \
	    python=$$(ls -d $${PYENV_ROOT:-$$HOME/.pyenv}/versions/$$version.*/bin/python 2> /dev/null | tail -1); \
	  test -n "$$python" || { echo "Python $$version is not installed: not run"; continue; }; \
	  $(BIN)/uv venv --quiet --clear --python "$$python" var/python-$$version && \
	  $(BIN)/uv pip install --quiet --python var/python-$$version/bin/python -e '.[dev]' && \
	  var/python-$$version/bin/python -m streams contracts check && \
	  var/python-$$version/bin/python -m pytest -m 'not kafka' --ignore tests/benchmarks || exit 1; \
	done

floors: setup-supply
	$(BIN)/uv venv --quiet --clear var/floors
	$(BIN)/uv pip install --quiet --python var/floors/bin/python --resolution lowest-direct -e .
	$(BIN)/uv pip install --quiet --python var/floors/bin/python hypothesis jsonschema pytest pytest-asyncio pytest-timeout pyyaml
	var/floors/bin/python -m streams contracts check
	var/floors/bin/python -m pytest -m 'not kafka' tests/schemas tests/models/text tests/models/taxonomy \
	  tests/models/behavior tests/models/enrichment tests/streams/agents tests/streams/lanes tests/streams/state

lock: setup-supply
	$(BIN)/uv pip compile pyproject.toml --universal --generate-hashes --no-emit-index-url --no-header --quiet \
	  --upgrade --output-file requirements.lock

sbom: var/locked/.done
	$(BIN)/cyclonedx-py environment var/locked/bin/python --pyproject pyproject.toml --output-file var/sbom.json
	@echo "var/sbom.json: CycloneDX, of what requirements.lock installs"

audit: setup-supply
	$(BIN)/pip-audit --requirement requirements.lock --disable-pip --strict

licenses: var/locked/.done
	$(BIN)/pip-licenses --python var/locked/bin/python --from mixed --order license --format markdown

fuzz: setup-dev
	$(BIN)/python -m tests.fuzz --records 100000 --seed 7

chaos: setup-peers
	$(BIN)/python -m tests.chaos --brokers 3 --output benchmarks/results/chaos-brokers
	$(BIN)/python -m tests.chaos --rounds $(ROUNDS) --output benchmarks/results/chaos

rolling: setup-dev
	$(BIN)/python -m tests.chaos --rolling $(OTHER) --rounds $(ROUNDS)

bench: setup-peers
	$(BIN)/python -m benchmarks

# Needs torch, numpy, onnx, onnxruntime, tokenizers and msgspec of its own, and none of our other dependencies.
GPU_PYTHON ?= $(PYTHON)

bench-gpu:
	@if $(GPU_PYTHON) -c 'import msgspec, numpy, torch' 2> /dev/null; then \
	  $(GPU_PYTHON) -m benchmarks.gpu --output benchmarks/results/gpu; \
	else echo "Not run: $(GPU_PYTHON) lacks torch, numpy or msgspec. Name a Python that has them in GPU_PYTHON."; fi

lint: setup-dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/shelfstream contracts check

clean:
	rm -rf $(VENV) var .pytest_cache .mypy_cache .ruff_cache .hypothesis
