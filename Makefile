# The commands of the README: `make demo`, `make demo-federation` and `make test`. Everything is installed into .venv and nowhere else.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
SPARK_INSTALLED := $(VENV)/.installed-spark
# Nothing to download where no cluster could run: its tests are then skipped, and counted.
SPARK := $(if $(shell command -v java 2>/dev/null),$(SPARK_INSTALLED))

# In processes of their own, so that what one group of tests holds in memory ends with it.
TEST_GROUPS := tests/spec tests/oracle tests/corpus tests/connectors tests/attacks tests/journeys tests/docs \
  $(filter-out %__pycache__,$(patsubst %/,%,$(wildcard tests/unit/*/))) $(wildcard tests/unit/test_*.py)

.PHONY: help demo demo-federation test test-all check bench clean

help:
	@echo "make demo    a node on a synthetic labour market, and the whole journey in the terminal"
	@echo "make demo-federation   five nodes: four nations with a part each, and questions over all of them"
	@echo "make test    the tests (about twenty-five minutes on two cores)"
	@echo "make test-all  those, and those of Spark on a cluster of its own (1 GB to download, 10 minutes more)"
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
	@for group in $(TEST_GROUPS); do $(BIN)/python -m pytest -n 2 --dist loadfile $$group || exit 1; done

# In one process, since one cluster serves them all. The first failure ends it: a broken cluster fails every test.
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
