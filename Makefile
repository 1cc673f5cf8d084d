# `make demo` and `make test` are all you need to begin; the rest is for daily work.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export PATH := $(CURDIR)/$(BIN):$(PATH)

# The demo's steps, and what git and DVC record of its first run.
RUN := evergreen ingest && evergreen pin && dvc repro && evergreen summary
WEEKS := evergreen cycle --as-of 2017-04-08 --through 2017-05-27 --every 7
RECORDED := dvc.lock history reports data models
CLONE := .cache/record

.PHONY: help setup demo demo-weeks test quick zones lint format lock dvc-yaml record bench kills scale

help:
	@echo "make demo        set up, ingest the demo data, run the pipeline, show the results"
	@echo "make demo-weeks  the demo, then eight weekly cycles and a picture of their history"
	@echo "make test        set up, lint, check types and run the whole test suite"
	@echo "make quick       the same without the slow tests, in a quarter of the time"
	@echo "make zones       test that results don't depend on the machine's time zone"
	@echo "make lint        check format, style and types"
	@echo "make format      format the code and fix what ruff can fix"
	@echo "make dvc-yaml    update the code that each stage depends on in dvc.yaml"
	@echo "make lock        upgrade the lock files to the newest versions"
	@echo "make record      rerun the recorded demo from scratch and update its files and pictures"
	@echo "make bench       run the benchmarks"
	@echo "make kills       kill commands everywhere for 20 minutes (KILLS=1500: for 1,500 kills)"
	@echo "make scale       measure shops of 10,000 and 100,000 clients: processor time and memory"

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
	$(RUN)

demo-weeks: demo
	evergreen finish --replace --reason "the demo was made again"
	$(WEEKS)
	evergreen history
	evergreen plot-history

lint: setup
	ruff format --check .
	ruff check .
	mypy

test: lint
	pytest -n 2 --dist worksteal

quick: lint
	pytest -n 2 --dist worksteal -m "not slow"

# Whatever zone a machine is in: the tests of times in three zones, two at a time. That the same
# files give the same bytes in all three is a part of `make test`.
ZONES := UTC America/New_York Asia/Tokyo
zones: setup
	printf '%s\n' $(ZONES) | xargs -P 2 -I ZONE env TZ=ZONE PGTZ=ZONE \
		pytest -q -n 0 -p no:cacheprovider -m "not slow" \
		tests/ingestion/test_zones.py tests/serving/test_times.py

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

# Runs the last commit in a clone that starts without history, and shares its DVC cache with this
# one. Check the result with `git status` and commit it. The record is made with the arithmetic that
# docs/guarantees.md promises, so this alone overrides a kernel that the environment names.
record: export OPENBLAS_CORETYPE := Haswell
record: setup
	@python -c 'import sys, evergreen.stages; from evergreen.store.machine import remark; sys.exit(remark())'
	@git diff --quiet HEAD || { echo "make record runs the last commit: commit or stash your changes"; exit 1; }
	rm -rf $(CLONE)
	git clone --quiet . $(CLONE)
	cd $(CLONE) && git rm -rq dvc.lock history 'data/*.dvc' 'models/*.dvc' && git commit -qm "Begin anew"
	cd $(CLONE) && dvc config --quiet --local cache.dir $(CURDIR)/.dvc/cache
	cd $(CLONE) && export PYTHONPATH=$$PWD/src && $(RUN) && evergreen finish && git tag recorded
	cp $(CLONE)/reports/figures/purchase.png docs/first-run.png
	cd $(CLONE) && export PYTHONPATH=$$PWD/src && $(WEEKS) && evergreen plot-history
	cp $(CLONE)/reports/history.png docs/demo-weeks.png
	git fetch --quiet $(CLONE) recorded
	git restore --source FETCH_HEAD --staged --worktree -- $(RECORDED)
	rm -rf $(CLONE)
	git status --short

bench: setup
	for file in benchmarks/bench_*.py; do python $$file; done

# Goes on where the last call stopped; COMMANDS="pull push" chooses some commands. Remove .cache/kills
# to begin anew, as after a change of the code.
kills: setup
	python benchmarks/kills/campaign.py

scale: setup
	python benchmarks/scale/measure.py 10000 500000
	python benchmarks/scale/measure.py 100000 5000000 --young
