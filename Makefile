# Everything runs in .venv, which is made when it is first needed and renewed when pyproject.toml
# changes. Another Python: make PYTHON=python3.12 demo

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.DEFAULT_GOAL := help
.PHONY: help demo test test-portable test-slow test-s3 tools contract lint types check bench quality fuzz readme pictures clean

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

demo: $(VENV)/runtime ## Choose, fit, predict and score on sample_data, each command shown
	@PATH="$(CURDIR)/$(BIN):$$PATH" sh sample_data/demo.sh demo-output

test: $(VENV)/development ## Run the tests, but for the slow ones
	@$(BIN)/python -m pytest -n 2 -m "not slow and not store"

test-portable: $(VENV)/development ## The same without what only Linux has, to see it work elsewhere
	@PYTHONPATH="$(CURDIR)/tests/portable" $(BIN)/python -m pytest -n 2 -m "not slow and not store"

test-slow: $(VENV)/development ## Run the tests that take minutes
	@$(BIN)/python -m pytest -m slow || test $$? -eq 5  # 5: none is marked slow

test-s3: $(VENV)/development $(VENV)/store ## Run the tests that need an object store, which they start
	@$(BIN)/python -m pytest -m store

tools: ## Install the other programs that some tests run (Debian, Ubuntu; as root)
	apt-get install --yes miller csvkit jq sqlite3 parallel chromium zstd xz-utils bzip2 iproute2 man-db zsh fish

contract: $(VENV)/development ## List what the command line promises, with the tests of each
	@$(BIN)/python tests/contract.py

lint: $(VENV)/development ## Check style, format and who imports whom
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/lint-imports

types: $(VENV)/development ## Check the types
	@$(BIN)/mypy

check: lint types ## lint and types

bench: $(VENV)/benchmarks ## Measure against the peers, for an hour or so; writes docs/benchmarks.md
	@cd tests && ../$(BIN)/python -m benchmarks --data ../.bench --output ../docs/benchmarks.md

quality: $(VENV)/benchmarks ## Try what it finds, for an hour; TRIALS="stretched stopping" for some
	@mkdir -p docs/quality
	@cd tests && ../$(BIN)/python -m quality $(TRIALS) --output ../docs/quality

fuzz: $(VENV)/development ## Spoil 25,000 files, for a quarter of an hour; KINDS="arrow csv" COUNT=500 for some
	@cd tests && ../$(BIN)/python -m fuzz $(KINDS) --count $(or $(COUNT),5000)

readme: $(VENV)/development ## Write what the commands print today into the READMEs and docs/share
	@$(BIN)/python tests/test_readme.py
	@$(BIN)/python tests/test_packaging.py

pictures: $(VENV)/development ## Draw the pictures of the documents anew
	@$(BIN)/python tests/pictures.py

clean: ## Remove .venv and all that was generated
	rm -rf $(VENV) .bench demo-output build dist .hypothesis .import_linter_cache
	rm -rf .mypy_cache .pytest_cache .ruff_cache .coverage
	find gmmcli tests -name __pycache__ -type d -prune -exec rm -rf {} +

# What using gmmcli needs. A file inside .venv says that it is there, so this happens once.
$(VENV)/runtime: pyproject.toml | $(BIN)/pip
	$(BIN)/python -m pip install --quiet --upgrade 'pip>=25.1'
	$(BIN)/python -m pip install --quiet --editable .
	@touch $@

# What working on gmmcli needs besides.
$(VENV)/development: $(VENV)/runtime
	$(BIN)/python -m pip install --quiet --group dev
	@touch $@

# What the tests of object stores need besides: a server.
$(VENV)/store: $(VENV)/runtime
	$(BIN)/python -m pip install --quiet --group s3
	@touch $@

# What the benchmarks need besides: the peers.
$(VENV)/benchmarks: $(VENV)/runtime
	$(BIN)/python -m pip install --quiet --group bench
	@touch $@

$(BIN)/pip:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "gmmcli needs Python 3.11 or later, which $(PYTHON) is not;" \
	         "try: make PYTHON=python3.12 ..." >&2; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || \
	  { echo "$(PYTHON) cannot make a virtual environment; on Debian and Ubuntu:" \
	         "apt install python3-venv" >&2; exit 1; }
	$(PYTHON) -m venv --clear $(VENV)
