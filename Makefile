# The commands that people and CI run. Everything lives in one .venv, made from requirements.lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := requirements.lock
STAMP  := $(VENV)/.installed

.DEFAULT_GOAL := help
.PHONY: help demo test check format bench lock clean install

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## the main job on rendered images: versions, checks, trains, judges, audits
	@$(BIN)/patchae demo $(ARGS)

test: $(STAMP) ## all tests
	@$(BIN)/python -m pytest $(ARGS)

check: $(STAMP) ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || (cat $(VENV)/imports.log; exit 1)
	@grep '^Contracts:' $(VENV)/imports.log

format: $(STAMP) ## rewrite the source in the house's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench: $(STAMP) ## the model on real classes: make bench DATA=folder in MVTec AD layout
	@$(BIN)/python bench/model.py $(DATA)

lock: $(STAMP) ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev \
	  --no-header --no-annotate --output-file $(LOCK) pyproject.toml

install: $(STAMP) ## the environment alone

# uv installs in parallel and shows what it does; --no-deps, since the lock is complete.
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || (echo "patchae needs Python 3.11 or later: make PYTHON=python3.12 ..."; exit 2)
	@test -x $(BIN)/python || (echo "creating $(VENV)"; $(PYTHON) -m venv $(VENV))
	@echo "installing about 6 GB of packages from $(LOCK), once; this takes minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' $(LOCK))"
	@$(BIN)/uv pip install --python $(BIN)/python --no-deps -r $(LOCK)
	@$(BIN)/uv pip install --python $(BIN)/python --no-deps --quiet -e .
	@touch $@

clean: ## remove the environment and everything that can be made again; images and models stay
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
