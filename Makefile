# Everything you do with a checkout of Sluice. `make` alone lists it.

.DEFAULT_GOAL := help
.PHONY: help run check test e2e screenshots chromium chaos fuzz bench lint format requirements clean

# The first of these that works makes .venv.
PYTHON ?= $(shell for python in python3.11 python3; do \
	$$python -c '' 2>/dev/null && echo $$python && break; done)
BIN := .venv/bin
# The browser for tests: the system's, because it gets security fixes and Playwright's own would have to be downloaded.
CHROMIUM ?= chromium
ARGS ?=

help: ## List the targets
	@awk -F ':.*## ' '/^[a-z0-9]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: .venv/.stamp-run ## Start Sluice with everything it needs and print its address; PORT, WEB_CONCURRENCY and WORKERS set what they name
	@$(BIN)/python -m app.local.launch

check: lint ## Lint, and run the tests that need neither servers nor processes: some ten seconds
	$(BIN)/python -m pytest tests/unit -m "not slow" --numprocesses=0 -q

# Otherwise every process of the tests compiles Sluice and rewrites assertions again: 14 s of processor time instead of 8
# before the first test, and 0.4 s more for each process that a test starts.
test e2e: export PYTHONDONTWRITEBYTECODE :=

test: .venv/.stamp-dev ## Run the tests; ARGS="tests/unit -k quoted" runs some of them
	$(BIN)/python -m pytest $(ARGS)

e2e: .venv/.stamp-e2e chromium ## Run the tests in a real browser; ARGS="-k panel" runs some of them; PICTURES=1 leaves pictures of all pages in artefacts/pages
	CHROMIUM=$(CHROMIUM) $(BIN)/python -m pytest tests/e2e --numprocesses 2 --reruns 1 --only-rerun TargetClosedError $(ARGS)

screenshots: .venv/.stamp-e2e chromium ## Retake the screenshots in the README
	CHROMIUM=$(CHROMIUM) $(BIN)/python -m tests.e2e.screenshots

chaos: .venv/.stamp-dev ## Kill, freeze and cut off real processes, and print the results; ARGS="--seed 7 --only redis --runs 5"
	$(BIN)/python -m tests.chaos $(ARGS)

fuzz: .venv/.stamp-fuzz ## Look for inputs that break the file reader or the API; ARGS="--inputs 100000 --only scan" narrows it
	$(BIN)/python -m tests.fuzz $(ARGS)

# ONLY, ROWS, REPEAT and SEED reach the program through its environment.
bench: .venv/.stamp-run ## Measure speed and memory against the targets; ONLY=import ROWS=200000 measures a part, ONLY=growth draws plots
	@$(BIN)/python -m bench

lint: .venv/.stamp-dev ## Check style, format and types
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

format: .venv/.stamp-dev ## Format the code, and fix what ruff can fix
	$(BIN)/ruff check --fix-only
	$(BIN)/ruff format

COMPILE = $(BIN)/uv pip compile --quiet --no-config --universal --python-version 3.11 --generate-hashes \
	--no-emit-index-url --no-emit-find-links --custom-compile-command "make requirements" $(ARGS)

requirements: .venv/.stamp-dev ## Pin the packages again after a change to requirements*.in; ARGS=--upgrade takes newer versions
	$(COMPILE) --output-file requirements.txt requirements.in
	$(COMPILE) --output-file requirements-dev.txt requirements-dev.in
	$(COMPILE) --output-file tests/e2e/requirements.txt tests/e2e/requirements.in
	$(COMPILE) --output-file bench/requirements.txt bench/requirements.in
	$(COMPILE) --output-file tests/fuzz/requirements.txt tests/fuzz/requirements.in

clean: ## Remove installed packages and caches; keeps .sluice, which holds your data
	rm -rf .venv .venv-bench .mypy_cache .pytest_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

.venv/bin/python:
	@test -n "$(PYTHON)" || { echo "Sluice needs Python 3.11 or newer, and no python3 was found." >&2; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sluice needs Python 3.11 or newer, and $(PYTHON) is $$($(PYTHON) -V). Name another: make PYTHON=..." >&2; exit 1; }
	@test ! -e .venv || { test -r .venv && test -x .venv; } || \
		{ echo "$$(id -un) cannot read .venv here: remove it, or run make as the user who created it." >&2; exit 1; }
	@$(PYTHON) -m venv .venv || { rm -rf .venv; echo "$(PYTHON) cannot create .venv: is python3-venv installed?" >&2; exit 1; }

# A stamp that is newer than its requirements file says that those packages are installed.
.venv/.stamp-run: requirements.txt | .venv/bin/python
	@echo 'Installing the packages that Sluice needs into .venv; this takes a minute, once ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.txt
	@touch $@

.venv/.stamp-dev: requirements-dev.txt | .venv/bin/python
	@echo 'Installing the packages for the tests into .venv; this takes a minute, once ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt
	@touch $@

.venv/.stamp-e2e: tests/e2e/requirements.txt | .venv/.stamp-dev
	@echo 'Installing the packages that drive the browser into .venv; this takes a moment, once ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/e2e/requirements.txt
	@touch $@

.venv/.stamp-fuzz: tests/fuzz/requirements.txt | .venv/.stamp-dev
	@echo 'Installing the fuzzer into .venv; this takes a moment, once ...'
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r tests/fuzz/requirements.txt
	@touch $@

chromium:
	@command -v $(CHROMIUM) >/dev/null || tests/e2e/install_chromium $(CHROMIUM)
