# Every target works by itself on a clean checkout: all it needs is Python 3.11 to 3.13.
# PYTHON chooses which one, for example `make test PYTHON=python3.13`.

PYTHON ?= python3
JOBS ?= 4
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
IDENTIFY = import hashlib, os, pathlib, sys, tomllib; \
	(3, 11) <= sys.version_info < (3, 14) or sys.exit(); \
	project = tomllib.loads(pathlib.Path("pyproject.toml").read_text()); \
	metadata = repr([project["build-system"], project["project"], project["tool"]["hatch"]]); \
	lock = pathlib.Path("requirements-dev.txt").read_text(); \
	parts = [sys.version, sys.base_prefix, os.getcwd(), metadata, lock]; \
	print(hashlib.sha256("".join(parts).encode()).hexdigest()[:16])
IDENTITY := $(shell $(PYTHON) -c '$(IDENTIFY)' 2>/dev/null)
READY := $(VENV)/.ready-$(or $(IDENTITY),unknown)

.PHONY: help demo dev test check format lock venv clean
.PHONY: packages coverage demo-deploy test-infra tables soak soak-jobs hostile fuzz bench bench-quick
.PHONY: audit declared sbom

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  make %-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: venv ## one event of every kind, from Gemini to a subscriber, with a verdict
	@$(BIN)/hooks demo

dev: venv ## the laptop stack, running until Ctrl-C
	@$(BIN)/hooks dev

demo-deploy: venv ## a real `terraform apply` against a local cloud, with a verdict
	@$(BIN)/hooks deploy --local --demo

PYTEST = $(BIN)/pytest -n $(JOBS) --no-loadscope-reorder

# So that no test's own time goes into it.
PACKAGES = import asyncio; from localcloud.runner.process import deployed_python; \
	asyncio.run(deployed_python(print))
packages: venv
	@$(BIN)/python -c '$(PACKAGES)'

test: packages ## every test but those of the Terraform
	@$(PYTEST) --ignore tests/infra $(OPTIONS) $(TESTS)

coverage: packages ## the same, with the coverage of functions/
	@$(MAKE) --no-print-directory test OPTIONS="--cov --cov-report term"

test-infra: packages ## the tests of the Terraform, or those that SELECT names
	@$(PYTEST) $(SELECT) tests/infra

tables: venv ## the generated tables of the docs: inputs and outputs of infra/, bounds
	@$(BIN)/python infra/tables.py
	@$(BIN)/python docs/bounds.py
	@$(BIN)/python docs/event_types.py

check: venv ## format, lint, types, who imports whom, and what is declared
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache --no-logo
	@$(MAKE) --no-print-directory declared

# Each list is compared with the imports that it stands for, in both directions, and anything said
# fails. pip-check-reqs looks up which distribution owns an imported file: a checker that goes by
# top-level names, such as deptry, takes google-cloud-firestore for the owner of `google.auth`.
# uvicorn loads httptools and uvloop by itself. itertools is ignored for a fault of pip-check-reqs,
# which takes the names in it for modules.
LOADED = --ignore-requirement httptools --ignore-requirement uvloop
MISSING = $(BIN)/pip-missing-reqs --ignore-module 'itertools*'
UNUSED = $(BIN)/pip-extra-reqs --ignore-module 'itertools*' $(LOADED)
WHEEL = functions client hooks localcloud
OURS = $(foreach name,main relay gemini_relay examples hooks localcloud atheris,--ignore-module '$(name)*')
# The client's wheel carries relay.jobs, and its extra `ledger` is read by no checker.
SHARED = --ignore-module 'relay*' --ignore-module 'gemini_relay*'
LEDGER = $(foreach name,cloud api_core auth,--ignore-module 'google.$(name)*')
declared: venv
	@! $(MISSING) --requirements-file requirements.in functions 2>&1 | grep .
	@! $(UNUSED) --requirements-file requirements.in functions 2>&1 | grep .
	@! $(MISSING) --requirements-file pyproject.toml $(WHEEL) 2>&1 | grep .
	@! $(UNUSED) --requirements-file pyproject.toml $(WHEEL) 2>&1 | grep .
	@! $(MISSING) $(SHARED) $(LEDGER) --requirements-file client/pyproject.toml client 2>&1 | grep .
	@! $(UNUSED) $(SHARED) --requirements-file client/pyproject.toml client 2>&1 | grep .
	@! $(MISSING) $(OURS) --requirements-file pyproject.toml \
		--requirements-file requirements-dev.in tests bench docs infra .ci 2>&1 | grep .

format: venv ## format, and mend what the linter can
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .

soak: venv ## the long soak: chaos, and an account that must end with nothing lost
	@$(BIN)/python -m tests.soak

soak-jobs: venv ## 2,000 jobs, webhooks astray, functions killed: each end fanned out once
	@$(BIN)/python -m tests.soak.jobs

hostile: venv ## a million hostile requests against the receiver, honest deliveries beside them
	@$(BIN)/python -m tests.hostile

fuzz: venv ## the parsers under a fuzzer that coverage guides; SECONDS for each of them
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes \
		--only-binary :all: --requirement requirements-fuzz.txt
	@PYTHONPATH=functions:client:. $(BIN)/python -m tests.fuzz $(SECONDS)

audit: venv ## look up what is pinned among known vulnerabilities
	@$(BIN)/python .ci/audit.py requirements.txt requirements-dev.txt requirements-fuzz.txt

bench: venv ## the functions beside their peers, in ten minutes, into bench/RESULTS.md
	@$(BIN)/python -m bench

bench-quick: venv ## the same in about a minute, only printed
	@$(BIN)/python -m bench --quick

# UPGRADE=--upgrade takes the newest versions instead of keeping those that still fit.
LOCK = $(BIN)/uv pip compile --quiet --no-config --universal --generate-hashes --no-header \
	--no-strip-extras --python-version 3.11 $(UPGRADE)
lock: venv ## pin requirements*.txt anew from requirements*.in and pyproject.toml
	@$(LOCK) pyproject.toml requirements-dev.in --output-file requirements-dev.txt
	@$(LOCK) requirements.in --constraint requirements-dev.txt --output-file requirements.txt
	@$(LOCK) --group fuzz --output-file requirements-fuzz.txt
	@$(BIN)/python .ci/extras.py requirements.txt requirements-dev.txt
	@$(BIN)/uv pip compile --quiet --no-config --universal --no-header --no-annotate \
		--strip-extras --python-version 3.11 pyproject.toml --constraint requirements-dev.txt \
		--output-file requirements-hooks.txt

# A pin that the lock repeats with an extra counts once.
sbom: venv ## sbom.json: what the functions run on, as CycloneDX
	@awk '/^[a-z0-9]/ {repeated = /\[/} !repeated' requirements.txt | \
		$(BIN)/cyclonedx-py requirements --pyproject pyproject.toml --output-reproducible \
		--output-file sbom.json -

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
