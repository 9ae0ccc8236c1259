# Bare `make` lists the targets. The first target that needs it makes the virtual environment.
SHELL := /bin/sh
PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
INSTALLED_DEV := $(VENV)/.installed-dev
PIP := $(BIN)/python -m pip --disable-pip-version-check

SCENARIO ?= scenarios/quick.yaml
RUN ?=
TEST_PROCESSES ?= 4
PROVIDERS ?= keycloak nanoidp oidc-provider
REQUIRED_PROVIDERS ?=

.DEFAULT_GOAL := help
.PHONY: help install demo test test-providers provider-figures fuzz lint bench report iam locust example picture constraints schema clean

help: ## list the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

install: $(INSTALLED) ## make the virtual environment and install the package

$(BIN)/python:
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed; name it with make PYTHON=python3.12")'
	$(PYTHON) -m venv $(VENV)

$(INSTALLED): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable .
	@touch $@

# With everything that the package itself needs: who tests first installs once.
$(INSTALLED_DEV): pyproject.toml constraints.txt | $(BIN)/python
	$(PIP) install --quiet --constraint constraints.txt --editable '.[mysql,redis,dev]'
	@touch $(INSTALLED) $@

demo: $(INSTALLED) ## run the quick matrix on the built-in IAM and write its report
	$(BIN)/iam-loadtest run $(SCENARIO)

test: $(INSTALLED_DEV) ## run the tests, with coverage of the package
	$(BIN)/python -m coverage erase
	$(BIN)/python -m coverage run -m pytest -m "not alone and not provider" --numprocesses $(TEST_PROCESSES) --dist loadfile \
	  --no-loadscope-reorder --durations 20
	$(BIN)/python -m coverage run -m pytest -m alone tests/e2e
	$(BIN)/python -m coverage combine --quiet
	$(BIN)/python -m coverage report --fail-under=90 --skip-covered --sort=cover

test-providers: $(INSTALLED_DEV) ## run the tests with real identity providers, or with PROVIDERS="one another"
	IAM_LOADTEST_REQUIRED_PROVIDERS="$(REQUIRED_PROVIDERS)" $(BIN)/python -m pytest -m provider --timeout 1200 \
	  --numprocesses 2 --dist loadfile $(foreach provider,$(PROVIDERS),tests/providers/test_$(subst -,_,$(provider)).py)

provider-figures: $(INSTALLED_DEV) ## measure the identity providers for docs/providers.md; takes 25 minutes
	set -e; for provider in $(PROVIDERS); do \
	  $(BIN)/python -m providers $$provider -- $(BIN)/iam-loadtest run scenarios/$$provider.yaml || [ $$? -eq 3 ]; done
	$(BIN)/python docs/make_provider_figures.py reports $(PROVIDERS)

fuzz: $(INSTALLED_DEV) ## send the client hostile answers for some minutes
	IAM_LOADTEST_FUZZ=50 $(BIN)/python -m pytest --quiet --timeout 0 tests/load/test_hostile_answers.py tests/load/test_hostile_documents.py

lint: $(INSTALLED_DEV) ## check format, lint and types
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(INSTALLED_DEV) ## measure, side by side on this machine; takes minutes, asserts nothing
	status=0; for measurement in bench/bench_*.py; do $(BIN)/python $$measurement || status=1; echo; done; exit $$status

report: $(INSTALLED) ## write the report of the newest run, or of RUN=directory
	$(BIN)/iam-loadtest report $(RUN)

example: $(INSTALLED_DEV) ## make reports/example from RUN=directory
	$(BIN)/python docs/make_example.py $(RUN)

picture: $(INSTALLED_DEV) ## take the README's picture from the report of reports/example, or of RUN=directory
	$(BIN)/python docs/make_picture.py $(RUN)

iam: $(INSTALLED) ## start the built-in IAM on its default port
	$(BIN)/iam-loadtest iam

locust: $(INSTALLED) ## open Locust's web UI with the token workloads (start `make iam` beside it)
	$(BIN)/locust -f locustfiles/mixed.py --web-host 127.0.0.1

constraints: $(INSTALLED_DEV) ## pin every dependency anew in constraints.txt
	$(BIN)/pip-compile --quiet --all-extras --strip-extras --no-emit-index-url --no-emit-trusted-host \
	  --no-emit-find-links --no-annotate --no-header --upgrade --output-file constraints.txt pyproject.toml

schema: $(INSTALLED) ## write the JSON Schema of scenario files for editors
	$(BIN)/iam-loadtest schema > scenarios/scenario.schema.json

clean: ## remove the virtual environment and caches; runs in reports/ stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis htmlcov .coverage .coverage.*
