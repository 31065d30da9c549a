# Every target works by itself on a clean checkout: all it needs is Python 3.11 to 3.13.
# PYTHON chooses which one, for example `make test PYTHON=python3.13`.

PYTHON ?= python3
JOBS ?= 3
COVERAGE ?= --cov --cov-report term
TESTS ?= tests
SHELL := /bin/sh
# Where this is set, every process of a test would compile everything anew.
unexport PYTHONDONTWRITEBYTECODE
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin

# The environment is made anew when the interpreter, the lock, the project's metadata or the place
# of the checkout changes: all of them are in the name of the file that says it is complete.
IDENTIFY = import hashlib, os, pathlib, sys; \
	(3, 11) <= sys.version_info < (3, 14) or sys.exit(); \
	files = [pathlib.Path(name).read_text() for name in ("requirements-dev.txt", "pyproject.toml")]; \
	parts = [sys.version, sys.base_prefix, os.getcwd(), *files]; \
	print(hashlib.sha256("".join(parts).encode()).hexdigest()[:16])
IDENTITY := $(shell $(PYTHON) -c '$(IDENTIFY)' 2>/dev/null)
READY := $(VENV)/.ready-$(or $(IDENTITY),unknown)

.PHONY: help demo dev test check format lock venv clean
.PHONY: demo-deploy test-infra tables soak hostile fuzz bench bench-quick audit

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: venv ## one event of every kind, from Gemini to a subscriber, with a verdict
	@$(BIN)/hooks demo

dev: venv ## the laptop stack, running until Ctrl-C
	@$(BIN)/hooks dev

demo-deploy: venv ## a real `terraform apply` against a local cloud, with a verdict
	@$(BIN)/hooks deploy --local --demo

PYTEST = $(BIN)/pytest -n $(JOBS) --no-loadscope-reorder

test: venv ## every test but the longest of the Terraform, with the coverage of functions/
	@$(PYTEST) -m "not long_apply" $(COVERAGE) $(TESTS)

test-infra: venv ## every test of the Terraform
	@$(PYTEST) tests/infra

tables: venv ## the generated tables of the docs: inputs and outputs of infra/, bounds
	@$(BIN)/python infra/tables.py
	@$(BIN)/python docs/bounds.py
	@$(BIN)/python docs/event_types.py

check: venv ## format, lint, types
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy

format: venv ## format, and mend what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: venv ## the long soak: chaos, and an account that must end with nothing lost
	@$(BIN)/python -m tests.soak

hostile: venv ## a million hostile requests against the receiver, honest deliveries beside them
	@$(BIN)/python -m tests.hostile

fuzz: venv ## the parsers under a fuzzer that coverage guides; SECONDS for each of them
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--only-binary :all: --requirement requirements-fuzz.txt
	@PYTHONPATH=functions:. $(BIN)/python -m tests.fuzz $(SECONDS)

audit: venv ## look up what is pinned among known vulnerabilities
	@$(BIN)/python .ci/audit.py requirements.txt requirements-dev.txt requirements-fuzz.txt

bench: venv ## the functions beside their peers, in ten minutes, into bench/RESULTS.md
	@$(BIN)/python -m bench

bench-quick: venv ## the same in about a minute, only printed
	@$(BIN)/python -m bench --quick

# UPGRADE=--upgrade takes the newest versions instead of keeping those that still fit.
LOCK = $(BIN)/uv pip compile --quiet --no-config --universal --generate-hashes --no-header \
	--python-version 3.11 $(UPGRADE)
lock: venv ## pin requirements*.txt anew from pyproject.toml
	@$(LOCK) pyproject.toml --output-file requirements.txt
	@$(LOCK) pyproject.toml --extra dev --constraint requirements.txt \
		--output-file requirements-dev.txt
	@$(LOCK) --group fuzz --output-file requirements-fuzz.txt

venv: $(READY) ## make .venv, which the other targets do by themselves

$(VENV)/.ready-unknown:
	@echo "$(PYTHON) is not Python 3.11, 3.12 or 3.13; choose one with make … PYTHON=/path/to/python3" >&2
	@exit 1

$(VENV)/.ready-%:
	@echo "Installing into $(VENV) with $$($(PYTHON) -V) (once)…"
	@$(PYTHON) -m venv --clear $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--requirement requirements-dev.txt
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps \
		--no-build-isolation --editable .
	@touch $@

clean: ## remove the environment and every cache
	rm -rf $(VENV) .coverage .coverage.* .hypothesis .mypy_cache .pytest_cache .ruff_cache
