# Two commands do everything on a machine with Python (3.11 to 3.13) and make:
#   make plan   installs into .venv, solves the reference case, shows the plan
#   make test   installs what the tests need and runs them
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := runs/claude

.PHONY: install install-dev plan test lint docs notebooks lock data clean

install: $(VENV)/.installed
install-dev: $(VENV)/.installed-dev

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

$(VENV)/.installed: requirements.lock pyproject.toml | $(VENV)/bin/python
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation -e .
	touch $@

$(VENV)/.installed-dev: requirements-dev.lock $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.lock
	touch $@

plan: install
	$(BIN)/planner solve data/claude --gap 0.01 --out $(RUN) --force
	$(BIN)/planner audit $(RUN)

test: install-dev
	$(BIN)/python -m pytest -n 2 --dist loadgroup

lint: install-dev
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy

# The documentation as a site, in site/.
docs: install-dev
	NO_MKDOCS_2_WARNING=1 PYTHONPATH=. $(BIN)/python -m mkdocs build --strict --quiet

# Runs every notebook from top to bottom; they are kept without outputs.
notebooks: install-dev
	$(BIN)/python -m pytest --nbmake --nbmake-timeout=300 -n 2 notebooks

# Remakes the lock files; they name no index, so any mirror serves.
lock:
	$(BIN)/python -m pip install --quiet pip-tools
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-options --no-header \
	  --no-emit-find-links --allow-unsafe --output-file requirements.lock requirements.in
	$(BIN)/pip-compile --quiet --strip-extras --generate-hashes --no-emit-index-url --no-emit-options --no-header \
	  --no-emit-find-links --allow-unsafe --output-file requirements-dev.lock requirements-dev.in

# Remakes data/claude from the raw facts and assumptions.
data: install
	$(BIN)/python data/build_claude.py

clean:
	rm -rf runs site .mypy_cache .ruff_cache .pytest_cache
