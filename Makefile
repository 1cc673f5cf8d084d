# Two commands do the work: `make demo` and `make test`. Everything else is for daily life.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
DEMO = $(shell sed -n "s/^  demo: *\([-a-z]*\).*/\1/p" params.yaml)
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help setup demo demo-weeks test quick lint format lock dvc-yaml bench

help:
	@echo "make demo    set up, ingest the demo data, run the pipeline, show the outcome"
	@echo "make demo-weeks   after the demo: eight weekly cycles, and their history"
	@echo "make test    set up, then lint, type-check and run the whole test suite"
	@echo "make quick   the same without the tests that run whole pipelines: a quarter of the time"
	@echo "make lint    ruff and mypy only"
	@echo "make format  let ruff rewrite the sources"
	@echo "make dvc-yaml   write the code that each stage depends on to dvc.yaml"
	@echo "make lock    pin the newest versions of the environment in requirements.lock"
	@echo "make bench   run the benchmarks"

# The environment comes from the lock file alone; the stamp makes a second call free.
$(VENV)/.installed: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Evergreen needs Python 3.11 or newer, found " + sys.version.split()[0] + ". Run: make PYTHON=python3.11 ...")'
	@echo "Setting up $(VENV) from requirements.lock: once, about a minute ..."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements.lock
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation -e .
	@touch $@

setup: $(VENV)/.installed

demo: setup
	evergreen ingest --demo $(DEMO)
	evergreen pin
	dvc repro
	evergreen summary

demo-weeks: demo
	evergreen finish
	evergreen cycle --as-of 2017-04-08 --through 2017-05-27 --every 7
	evergreen history
	evergreen plot-history

lint: setup
	ruff format --check .
	ruff check .
	mypy

test: lint
	pytest -n 2 --dist loadgroup

quick: lint
	pytest -n 2 -m "not slow"

format: setup
	ruff format .
	ruff check --fix .

# Both files at once: what the serving image installs is a part of what was tested.
LOCK := uv pip compile pyproject.toml --generate-hashes --universal --no-emit-index-url
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(LOCK) --extra dev --upgrade --output-file requirements.lock
	$(LOCK) --extra serve --constraint requirements.lock --upgrade --output-file requirements-serve.lock

dvc-yaml: setup
	python -m evergreen.vcs.stage_code

bench: setup
	for file in benchmarks/bench_*.py; do python $$file; done
