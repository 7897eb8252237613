# `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
export ABALONE_HOME ?= $(CURDIR)/.abalone

.DEFAULT_GOAL := help
.PHONY: help demo dev test lint format types bench clean

help: ## Show this list
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 10

demo: $(VENV)/.base ## Land surveys, train, deploy and ask the endpoint a question, all on this machine
	@$(BIN)/abalone demo

dev: $(VENV)/.base ## Start the Dagster UI, its daemon and the endpoint server
	@$(BIN)/abalone dev

test: $(VENV)/.dev ## Run all tests
	$(BIN)/pytest -n auto --dist loadgroup

lint: $(VENV)/.dev ## Check style and imports
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(VENV)/.dev ## Mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## Check types, strictly
	$(BIN)/mypy

bench: $(VENV)/.dev ## Measure; docs/benchmarks.md has the last results
	$(BIN)/python -m benchmarks

clean: ## Remove the virtual environment and caches; .abalone, with its surveys, stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis test-output

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.base
