# Two commands matter:
#   make lab     open the course in JupyterLab
#   make test    run the whole suite, browser tests included
# Both make their own .venv the first time. Only Python 3.11 or newer and make must be there already.
#
# Options: PYTHON=python3.12     the interpreter the .venv is made with
#          LAB_ARGS="--no-browser --port 9000"     passed to kms-lab
#          TEST_ARGS="-k envelope"                 passed to pytest

PYTHON ?= python3
VENV ?= .venv
LAB_ARGS ?=
TEST_ARGS ?=
BIN := $(VENV)/$(if $(filter Windows_NT,$(OS)),Scripts,bin)
PIP := $(BIN)/python -m pip install --disable-pip-version-check

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.PHONY: help lab test test-library test-deep check format bench clean

help:
	@sed -n '1,/^$$/s/^# \{0,1\}//p' Makefile
	@echo "Others: make check, make format, make test-library, make test-deep, make bench, make clean"

# ---- the environment: one stamp for learners, one for developers; either is renewed when pyproject.toml changes

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { \
	  echo "kms_lab needs Python 3.11 or newer; '$(PYTHON)' is $$($(PYTHON) --version 2>&1 || echo not there)." >&2; \
	  echo "Install one, or name one you have: make lab PYTHON=python3.12" >&2; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	@$(PYTHON) -m venv $(VENV) || { \
	  echo "Python's venv module does not work here. On Debian or Ubuntu: apt-get install python3-venv" >&2; \
	  rm -rf $(VENV); exit 1; }

$(VENV)/.lab-ready: pyproject.toml | $(BIN)/python
	@echo "Installing kms_lab and what it needs into $(VENV) (about two minutes the first time)"
	@$(PIP) -e .
	@touch $@

$(VENV)/.dev-ready: pyproject.toml | $(BIN)/python
	@echo "Installing kms_lab with its test tools into $(VENV) (about three minutes the first time)"
	@$(PIP) -e ".[dev]"
	@touch $@ $(VENV)/.lab-ready

# ---- what people do

lab: $(VENV)/.lab-ready
	@$(BIN)/kms-lab --here $(LAB_ARGS)

# The library's tests run side by side; those that drive a browser or run notebooks one after the other. Both always run.
test: $(VENV)/.dev-ready
	@$(BIN)/python tests/browser/ensure_chromium.py
ifeq ($(strip $(TEST_ARGS)),)
	@$(BIN)/python -m pytest -n 2 -m "not browser and not notebook"; library=$$?; \
	  $(BIN)/python -m pytest -m "browser or notebook" && exit $$library
else
	@$(BIN)/python -m pytest $(TEST_ARGS)
endif

# Without the tests that drive a browser or run whole notebooks: seconds instead of minutes.
test-library: $(VENV)/.dev-ready
	@$(BIN)/python -m pytest -n 2 -m "not browser and not notebook" $(TEST_ARGS)

test-deep: $(VENV)/.dev-ready
	@$(BIN)/python tests/browser/ensure_chromium.py
	@KMS_LAB_DEEP=1 $(BIN)/python -m pytest --durations=20 $(TEST_ARGS)

check: $(VENV)/.dev-ready
	@$(BIN)/ruff check .
	@$(BIN)/ruff format --check .
	@$(BIN)/mypy
	@$(BIN)/codespell
	@find notebooks -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*' -exec $(BIN)/nbstripout --keep-id --verify {} +

format: $(VENV)/.dev-ready
	@$(BIN)/ruff check --fix .
	@$(BIN)/ruff format .
	@find notebooks -name '*.ipynb' -not -path '*/.ipynb_checkpoints/*' -exec $(BIN)/nbstripout --keep-id {} +

bench: $(VENV)/.dev-ready
	@$(BIN)/python benchmarks/run.py $(BENCH_ARGS)

clean:
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +
