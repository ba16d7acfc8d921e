# make preview | up | refresh | destroy | plan | check | lint | test  [STACK=<stack>] [ARGS=...]
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help preview up refresh destroy plan test engine-test engine-test-all bench check lint engine env lock format

# Without it: the only stack that owns an estate.
STACK ?=
ARGS ?=
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.made-from-lock

help:
	@echo "make preview      show what would change (STACK=<stack>: of this one; else the only owner)"
	@echo "make up           make it: on simulated clouds, unless credentials are set"
	@echo "make refresh      read what is in the clouds into the state"
	@echo "make destroy      remove it"
	@echo "make plan         like preview, but offline and without an engine"
	@echo "make test         the test suite, without the engine"
	@echo "make engine-test  the tests that run the real engine on simulated clouds"
	@echo "make engine-test-all  the same, with a kill at every change of an up"
	@echo "make bench        measure how fast it is, against the goals (docs/performance.md)"
	@echo "make check        everything that needs no engine: make lint, then make test"
	@echo "make lint         format, lint, strict types, import contracts, workflows"
	@echo "make engine       get the Pulumi engine, once"
	@echo "make lock         pin the newest dependencies that pyproject.toml allows"

preview up refresh destroy plan: $(STAMP)
	@$(BIN)/gatehouse $@ $(STACK) $(ARGS)

# Everything that needs no engine, in under a minute; `make engine-test` has the rest.
test: $(STAMP)
	@$(BIN)/python -m pytest -n auto -m "not engine" $(ARGS)

engine-test: $(STAMP) engine
	@$(BIN)/python -m pytest -n auto -m "engine and not slow" $(ARGS)

# With a kill at every change of an `up`, and not at each third only.
engine-test-all: $(STAMP) engine
	@$(BIN)/python -m pytest -n auto -m engine $(ARGS)

# Some ten minutes; ARGS="import questions" measures parts. The engine's rows need an engine (`make engine`).
bench: $(STAMP)
	@$(BIN)/python -m bench $(ARGS)

check: lint test

lint: $(STAMP)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/zizmor --offline --strict-collection --quiet .github

format: $(STAMP)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

engine: $(STAMP)
	@$(BIN)/gatehouse pulumi version

env: $(STAMP)

# uv installs the lock ten times faster than pip, so it comes first, hashed like the rest. Where pip is told to
# use another index, or uv fails, pip does it all. The project itself is installed in place, with no network.
$(STAMP): requirements-dev.txt requirements.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Gatehouse needs Python 3.11 or newer; $(PYTHON) is $$($(PYTHON) -V 2>&1). Try: make PYTHON=python3.11"; exit 1; }
	@echo "Making the environment in $(VENV) from requirements-dev.txt (a minute at most, once)"
	@$(PYTHON) -m venv $(VENV)
	@set -e; export PIP_DISABLE_PIP_VERSION_CHECK=1; \
	pip="$(BIN)/python -m pip install -q --require-hashes"; \
	awk '/^[^ #]/ {uv = /^uv==/} uv' requirements-dev.txt > $(VENV)/uv.txt; \
	if ! $(BIN)/python -m pip config list | grep -q index-url \
	    && $$pip --no-compile -r $(VENV)/uv.txt \
	    && VIRTUAL_ENV=$(VENV) $(BIN)/uv pip install -q --compile-bytecode --require-hashes -r requirements-dev.txt; then :; \
	else $$pip -r requirements-dev.txt; fi; \
	$(BIN)/python -m pip install -q --no-build-isolation --no-deps --no-index -e .
	@touch $@

# No index and no host gets into the locks, so that they work with any registry.
LOCK := $(BIN)/uv pip compile pyproject.toml --universal --python-version 3.11 --generate-hashes --upgrade \
  --no-emit-index-url --no-annotate --quiet --custom-compile-command "make lock"
lock: $(STAMP)
	$(LOCK) -o requirements.txt
	$(LOCK) --extra dev -c requirements.txt -o requirements-dev.txt
	$(subst pyproject.toml,package/requirements.in,$(LOCK)) -c requirements.txt -o package/requirements.txt
