# The commands of the README: `make demo`, `make demo-federation` and `make test`. Everything is installed into .venv and nowhere else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SPARK_INSTALLED := $(VENV)/.installed-spark
# Nothing to download where no cluster could run: its tests are then skipped, and counted.
SPARK := $(if $(shell command -v java 2>/dev/null),$(SPARK_INSTALLED))

# The tests run as two sessions, so that what the first holds in memory ends with it.
PYTEST := $(BIN)/python -m pytest -n 2 --dist loadgroup

.PHONY: help demo demo-federation test test-all check bench clean

help:
	@echo "make demo    a node on a synthetic labour market, and the whole journey in the terminal"
	@echo "make demo-federation   five nodes: four nations with a part each, and questions over all of them"
	@echo "make test    the everyday tests (under ten minutes on two cores)"
	@echo "make test-all  every test with all its examples, and those of Spark on a cluster of its own (1 GB to download)"
	@echo "make check   format, lint, strict types and import contracts"
	@echo "make bench   protected queries against raw ones and several nodes against one, as ratios measured in one run"
	@echo "make clean   removes what the other targets made"

$(INSTALLED): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "Python 3.11 or newer is needed; this is $$($(PYTHON) --version 2>&1). Try: make $(MAKECMDGOALS) PYTHON=python3.11"; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "This Python can't make virtual environments. On Debian or Ubuntu: sudo apt install python3-venv"; exit 1; }
	@echo "Setting up $(VENV) (a minute or two the first time) ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m federation.web.assets || true  # it says what is missing; pages work without, in plain style
	@touch $@

$(SPARK_INSTALLED): $(INSTALLED)
	@echo "Adding Spark to $(VENV) (1 GB) ..."
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev,spark]'
	@touch $@

demo: $(INSTALLED)
	@$(BIN)/python -m examples.demo

demo-federation: $(INSTALLED)
	@$(BIN)/python -m examples.federation_demo

test: $(INSTALLED)
	@$(PYTEST) tests/unit tests/attacks tests/spec tests/oracle tests/corpus
	@$(PYTEST) tests/connectors tests/journeys tests/docs

# Spark in one process, since one cluster serves all. The first failure ends it: a broken cluster fails every test.
test-all: export FEDERATION_THOROUGH_TESTS = 1
test-all: test $(SPARK)
	@FEDERATION_SPARK_TESTS=1 $(BIN)/python -m pytest -x -n 0 -m spark --session-timeout=2400 tests/connectors

check: $(INSTALLED)
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache

bench: $(INSTALLED)
	@$(BIN)/python -m bench

clean:
	rm -rf $(VENV) .demo .demo-federation .bench .pytest_cache .mypy_cache .ruff_cache .hypothesis
