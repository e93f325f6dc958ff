# Two commands do everything on a machine with Python 3.11, pip and make:
#   make run    set up, then land a week for sample orgs, materialize it, and show what won
#   make test   set up, then the whole suite
# `make ui` opens the Dagster UI on the demo's data.

PYTHON ?= python3.11
VENV   := .venv
BIN    := $(VENV)/bin
UV     := $(VENV)/bin/uv
export UV_LINK_MODE ?= copy
# Compiled once, here: every process that finds no bytecode compiles for two seconds before it does anything.
export UV_COMPILE_BYTECODE ?= 1
unexport PYTHONDONTWRITEBYTECODE
export DAGSTER_DISABLE_TELEMETRY = 1

.PHONY: run ui test test-random test-live check lint lock setup tools clean

run: $(VENV)/.main
	$(BIN)/justai demo

ui: $(VENV)/.main
	@test -d .justai/demo/orgs || $(BIN)/justai demo
	$(BIN)/justai ui

# In a process more than there are cores, then the serial tests alone; no test runs twice. justai_assets_tests/suite.py says the rest.
test: $(VENV)/.dev tools
	$(BIN)/python -m justai_assets_tests.suite

# Property tests with new seeds, for so many minutes: `make test` tries the same examples every time.
MINUTES ?= 30
test-random: $(VENV)/.dev tools
	$(BIN)/python -m justai_assets_tests.suite random $(MINUTES)

# The daemon over 90 days and the UI in a browser: minutes each, and they want the machine to themselves.
test-live: $(VENV)/.dev tools
	$(BIN)/python -m justai_assets_tests.suite live

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy

# The whole of CI, locally.
check: lint test

setup: $(VENV)/.dev

# What some tests drive for real: a browser, a PostgreSQL server, and Java for local Spark.
tools:
	@missing=""; \
	command -v chromium >/dev/null || missing="$$missing chromium"; \
	ls /usr/lib/postgresql/*/bin/postgres >/dev/null 2>&1 || missing="$$missing postgresql"; \
	command -v java >/dev/null || missing="$$missing default-jre-headless"; \
	if [ -z "$$missing" ]; then exit 0; fi; \
	if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then \
		apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $$missing >/dev/null; \
	else \
		echo "Not installed:$$missing. The tests that need it are skipped; install it to run them."; \
	fi

$(UV):
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check uv

# The locks carry a hash for every file, and no registry address.
$(VENV)/.main: requirements/main.txt pyproject.toml | $(UV)
	@test -f $(VENV)/.dev || $(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/main.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

$(VENV)/.dev: requirements/dev.txt pyproject.toml | $(UV)
	@$(UV) pip install --quiet --python $(BIN)/python --require-hashes -r requirements/dev.txt
	@$(UV) pip install --quiet --python $(BIN)/python --no-deps --editable .
	@touch $@

lock: | $(UV)
	$(UV) pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.11 \
		--custom-compile-command "make lock" pyproject.toml -o requirements/main.txt
	$(UV) pip compile --quiet --universal --generate-hashes --no-annotate --python-version 3.11 --all-extras --group dev \
		--custom-compile-command "make lock" pyproject.toml -c requirements/main.txt -o requirements/dev.txt

clean:
	rm -rf $(VENV) .justai .pytest_cache .mypy_cache .ruff_cache
