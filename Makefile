# `make demo` and `make test` set up what they need by themselves.
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
JARS := $(VENV)/share/hadoop-aws
TOOLKITS := $(VENV)/share/toolkits/made
AUDIT := $(VENV)/share/audit
PYTEST := $(BIN)/pytest -n auto --dist loadgroup
export ABALONE_HOME ?= $(CURDIR)/.abalone
# The suite starts a hundred interpreters, and the platform one a run: none should compile it anew.
export PYTHONDONTWRITEBYTECODE :=

.DEFAULT_GOAL := help
.PHONY: help demo dev test test-tools test-fast soak soak-kills fuzz lint format types licences audit sbom docs bench synth \
	deploy destroy clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

demo: $(VENV)/.base ## Land surveys, train, deploy and ask the endpoint a question, all on this machine
	@$(BIN)/abalone demo

dev: $(VENV)/.base ## Start the Dagster UI, its daemon and the endpoint server; PORT=3100 ENDPOINT_PORT=8081
	@trap : INT; $(BIN)/abalone dev $(if $(PORT),--port $(PORT)) \
	  $(if $(ENDPOINT_PORT),--endpoint-port $(ENDPOINT_PORT)) || [ $$? -eq 130 ] # Ctrl-C is no error

test: test-tools ## Run all tests
	@$(BIN)/python -m abalone_assets_tests.support.programs
	$(PYTEST)

test-tools: $(VENV)/.dev $(JARS) $(TOOLKITS) # What all tests need

test-fast: $(VENV)/.dev ## Run the tests that need neither services nor minutes
	$(PYTEST) -m 'not service and not story'

soak: $(VENV)/.dev ## Many long histories of files, releases and faults: SEED=1 SEEDS=8 HISTORIES=125 STEPS=30; LEDGER tells them all
	ABALONE_TEST_SEED=$(or $(SEED),1) ABALONE_TEST_SEEDS=$(or $(SEEDS),8) \
	  ABALONE_TEST_HISTORIES=$(or $(HISTORIES),125) ABALONE_TEST_HISTORY_STEPS=$(or $(STEPS),30) \
	  ABALONE_TEST_LEDGER=$(or $(LEDGER),histories.jsonl) \
	  $(PYTEST) -v abalone_assets_tests/automation/test_histories.py \
	  abalone_assets_tests/services/test_platform_histories.py; settled=$$?; \
	  $(BIN)/python -m abalone_assets_tests.support.ledger $(or $(LEDGER),histories.jsonl); exit $$settled

soak-kills: $(VENV)/.dev ## Kill every process of a platform, local and production's, at every boundary of a step: TIMES=3; goes on at any FROM
	ABALONE_TEST_KILLS=$(or $(TIMES),3) ABALONE_TEST_KILLS_FROM=$(or $(FROM),0) \
	  $(BIN)/pytest -s abalone_assets_tests/stories/dev/test_kills.py abalone_assets_tests/services/production/test_kills.py

fuzz: $(VENV)/.dev ## Ask endpoint, parser, archives, runs and commands what nobody would: EXAMPLES=20000
	ABALONE_TEST_EXAMPLES=$(or $(EXAMPLES),20000) $(PYTEST) abalone_assets_tests/*/test_fuzz.py

lint: $(VENV)/.dev ## Check style, and which room imports which
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports

format: $(VENV)/.dev ## Mend what the linter can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(VENV)/.dev ## Check types, strictly
	$(BIN)/mypy

licences: $(VENV)/.dev $(AUDIT)/.made ## Check that every dependency's licence is one that we take
	$(AUDIT)/bin/pip-licenses --python $(BIN)/python >/dev/null

audit: $(VENV)/.dev $(AUDIT)/.made ## Ask PyPI whether a dependency has a known weakness
	$(AUDIT)/bin/python .ci/audit.py $(AUDIT)/bin/pip-audit $(BIN)/python

sbom: $(VENV)/.base $(AUDIT)/.made ## Write sbom.json: what is installed here, as CycloneDX
	$(AUDIT)/bin/cyclonedx-py environment --pyproject pyproject.toml --output-reproducible --of JSON -o sbom.json $(BIN)/python

docs: $(VENV)/.base ## Write docs/settings.md, docs/catalog.md and tables of docs/architecture.md and docs/benchmarks.md
	$(BIN)/python docs/settings_page.py
	$(BIN)/python docs/catalog_page.py
	$(BIN)/python docs/gate_table.py
	$(BIN)/python docs/benchmark_tables.py

bench: $(VENV)/.dev ## Measure, beside peers; `make docs` then fills the tables of docs/benchmarks.md
	$(BIN)/python -m benchmarks

synth: $(VENV)/.deploy ## Write the CloudFormation templates to cdk.out, checked by cdk-nag and cfn-lint
	$(BIN)/python -m deploy.app -o cdk.out
	$(BIN)/cfn-lint -i W3005 -- cdk.out/*.template.json

deploy: $(VENV)/.deploy ## Create or update the stacks on AWS
	$(BIN)/python -m deploy.deploy

destroy: $(VENV)/.deploy ## Delete the stacks, the endpoint first; the data stays
	$(BIN)/python -m deploy.destroy

clean: ## Remove the virtual environment and caches; .abalone, with its surveys, stays
	rm -rf $(VENV) .mypy_cache .pytest_cache .ruff_cache .hypothesis test-output

$(VENV)/bin/python:
	$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info < (3, 14) and "Python 3.11, 3.12 or 3.13 is needed: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv $(VENV)

# pip is quiet for minutes: each step says before what comes.
$(VENV)/.base: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the platform into $(VENV): some 270 MB to fetch, 1.1 GB on disk; it takes a few minutes ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dg]'
	@touch $@

$(VENV)/.dev: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing all that the tests need into $(VENV): over 1 GB to fetch, 3.5 GB on disk; it takes many minutes ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $@ $(VENV)/.base $(VENV)/.deploy

$(VENV)/.deploy: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing the CDK into $(VENV): some 200 MB to fetch beside the platform, 0.8 GB on disk; it takes a few minutes ..."
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[aws,deploy,dg]'
	@touch $@ $(VENV)/.base

# Glue's Spark reads s3:// by itself; PySpark needs these jars for it, which PyPI has in one package's source.
$(JARS): | $(VENV)/bin/python
	@echo "Fetching Spark's jars for S3 into $@: 0.2 GB; it takes a minute or two ..."
	rm -rf $@.new && mkdir -p $@.new
	$(BIN)/python -m pip download --quiet --disable-pip-version-check --no-deps --no-binary :all: -d $@.new sagemaker_pyspark==1.4.5
	tar -xzf $@.new/sagemaker_pyspark-1.4.5.tar.gz -C $@.new --strip-components=3 --wildcards '*/hadoop-aws-*.jar' '*/aws-java-sdk-bundle-*.jar'
	rm $@.new/sagemaker_pyspark-1.4.5.tar.gz && mv $@.new $@

# What SageMaker's XGBoost image runs, for the tests alone.
$(TOOLKITS): abalone_assets_tests/fakes/toolkits.txt abalone_assets_tests/fakes/toolkits.py | $(VENV)/.dev
	@echo "Installing what SageMaker's XGBoost image runs into $(@D): 0.7 GB on disk; it takes some minutes ..."
	$(BIN)/python -m abalone_assets_tests.fakes.toolkits
	@touch $@

# What looks at the dependencies has an environment of its own, or it would be looked at, too.
$(AUDIT)/.made: pyproject.toml constraints.txt | $(VENV)/bin/python
	@echo "Installing what looks at dependencies into $(AUDIT): some 20 MB to fetch, 0.1 GB on disk; it takes a minute ..."
	$(BIN)/python -m venv --clear $(AUDIT)
	$(AUDIT)/bin/python -m pip install --quiet --disable-pip-version-check -c constraints.txt cyclonedx-bom pip-audit pip-licenses
	@touch $@
