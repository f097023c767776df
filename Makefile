# Every target sets itself up: a virtual environment in .venv with fewmask installed in it.
PYTHON ?= python3
BIN := .venv/bin

.PHONY: demo test lint check tables build install clean

demo: install  ## train supervised and iMAS on built-in scenes, end with a table and a picture
	$(BIN)/fewmask demo

# One thread for each process: several would get into each other's way.
test: export OMP_NUM_THREADS = 1
test: install  ## run every test
	$(BIN)/python -m pytest -n auto --maxprocesses 4

lint: install  ## format, lint, types, and figures on pages that differ from the stored results
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m benchmarks tables --check

check: lint test  ## what CI runs

tables: install  ## write the tables of README and docs from the results of the benchmarks
	$(BIN)/python -m benchmarks tables

build: install  ## the wheel and the source archive, into dist/
	$(BIN)/python -m pip install --quiet build
	$(BIN)/python -m build

install: .venv/installed

.venv/installed: pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "fewmask needs Python 3.11 or newer: make PYTHON=python3.11 ...")'
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -e '.[dev]'
	touch $@

clean:
	rm -rf .venv runs build dist
