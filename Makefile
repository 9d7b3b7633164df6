# Two commands matter: `make run` and `make test`. `make help` lists the rest.
SHELL := /bin/bash
.ONESHELL:
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

# onnxruntime reports home unless told not to; mien itself sees to that, this is for whatever else runs from here.
export ORT_DISABLE_TELEMETRY := 1

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
HOST   ?= 127.0.0.1
PORT   ?= 8000
WEB    := src/mien/server/web
SLOWER := tests/unit/vision/swap tests/unit/vision/render tests/unit/vision/mesh tests/integration/test_egress.py
NATIVE := hatch_build.py $(wildcard src/mien/native/*.[ch])

.PHONY: help run install test test-fast check format lint types contracts docs models web bench wheel wheels lock clean

help:  ## List the commands.
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /  make \1\t/' | expand -t 18

run: $(VENV)/.run $(WEB)/index.html  ## Install, fetch the models, and serve on http://127.0.0.1:8000
	$(BIN)/mien models pull
	$(BIN)/mien serve --host $(HOST) --port $(PORT)

test: $(VENV)/.test $(WEB)/index.html  ## Install what the tests need, and run them.
	$(BIN)/mien models pull
	npm --prefix web run --silent check
	npm --prefix web test
	MIEN_NATIVE=0 $(BIN)/python -m pytest -qq $(SLOWER)   # what kernels do, without them
	$(BIN)/python -m pytest

test-fast: $(VENV)/.test  ## Run the unit tests and the doctests alone, in some two minutes.
	$(BIN)/python -m pytest -m unit

check: $(VENV)/.dev $(WEB)/index.html format-check lint types contracts docs test  ## Everything a change must pass.

format: $(VENV)/.dev  ## Format the code.
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix --select I .
	npm --prefix web run format

.PHONY: format-check
format-check: $(VENV)/.dev
	$(BIN)/ruff format --check .

lint: $(VENV)/.dev  ## Lint.
	$(BIN)/ruff check .

types: $(VENV)/.dev  ## Check the types.
	$(BIN)/mypy

contracts: $(VENV)/.dev  ## Check that imports point down.
	$(BIN)/lint-imports

docs: $(VENV)/.dev  ## Build the documentation into site/.
	$(BIN)/mkdocs build --strict --quiet

models: $(VENV)/.run  ## Fetch the default models.
	$(BIN)/mien models pull

web: $(WEB)/index.html  ## Build the pages.

bench: $(VENV)/.test $(WEB)/index.html  ## Measure; see benchmarks/README.md.
	$(BIN)/python -m benchmarks.vision.pipeline
	$(BIN)/python -m benchmarks.system.live
	$(BIN)/python -m benchmarks.system.delay
	$(BIN)/python -m benchmarks.media.egress
	$(BIN)/python -m benchmarks.media.ingest

wheel: $(VENV)/.dev $(WEB)/index.html  ## Build a wheel that carries the pages.
	$(BIN)/pip wheel --no-deps --wheel-dir dist .

wheels: $(VENV)/.dev $(WEB)/index.html  ## Build wheels for the usual platforms, and one without kernels for all others.
	$(BIN)/pip install --quiet --disable-pip-version-check hatchling==1.27.0 ziglang==0.15.1
	for target in linux-x86_64 linux-aarch64 macos-x86_64 macos-arm64 windows-x86_64; do
	  MIEN_NATIVE=1 MIEN_NATIVE_TARGET=$$target $(BIN)/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .
	done
	MIEN_NATIVE=0 $(BIN)/pip wheel --quiet --no-build-isolation --no-deps --wheel-dir dist .
	$(call install,dev)   # the library for this machine again

lock: $(VENV)/.dev  ## Resolve the dependencies anew.
	$(BIN)/pip install --quiet uv
	for group in run test dev; do
	  flags=$$([ $$group = run ] || echo "--group $$group")
	  $(BIN)/uv pip compile pyproject.toml $$flags --universal --python-version 3.11 --generate-hashes \
	    --no-emit-index-url --no-annotate --quiet --no-header --output-file requirements/$$group.txt
	done

clean:  ## Remove what was built; downloads in the cache folder stay.
	rm -rf $(VENV) dist site $(WEB) web/node_modules .mypy_cache .ruff_cache .pytest_cache

$(BIN)/python:
	$(PYTHON) -m venv $(VENV)

define install
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements/$(1).txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $(VENV)/.run
endef

$(VENV)/.run: $(BIN)/python requirements/run.txt pyproject.toml $(NATIVE)
	$(call install,run)

$(VENV)/.test: $(BIN)/python requirements/test.txt pyproject.toml $(NATIVE)
	$(call install,test)
	touch $@

$(VENV)/.dev: $(BIN)/python requirements/dev.txt pyproject.toml $(NATIVE)
	$(call install,dev)
	touch $(VENV)/.test $@

$(WEB)/index.html: $(wildcard web/*.html web/*.json web/*.ts) $(shell find web/src -type f 2>/dev/null)
	npm --prefix web ci --no-audit --no-fund --loglevel=error
	npm --prefix web run --silent build
