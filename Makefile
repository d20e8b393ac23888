# The commands that people and CI run. Everything lives in one .venv, made from requirements.lock.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
LOCK   := requirements.lock
STAMP  := $(VENV)/.installed
RIVALS := .bench/venv
SEEDS  ?= 3

.DEFAULT_GOAL := help
.PHONY: help demo test test-all fuzz stack stack-down stack-status check format bench-model bench-demo bench-render bench-growth bench-scale bench-data bench-gates bench-lineage bench-page bench-serve bench-endurance bench-drift bench-rivals lock clean install

help: ## show this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: $(STAMP) ## the main job on rendered images: versions, checks, trains, judges, audits
	@$(BIN)/patchae demo $(ARGS)

test: $(STAMP) ## the unit tests, on all processors; some of them: make test ARGS="-k threshold"
	@$(BIN)/python -m pytest -n auto --dist loadfile tests/unit $(ARGS)

test-all: $(STAMP) ## the rest: integration and system tests, with real servers, kills and a browser
	@$(BIN)/python -m pytest -n auto --dist loadfile --no-loadscope-reorder tests/system tests/integration $(ARGS)

fuzz: $(STAMP) ## the tests that try examples, with many more, and such as no run had before
	@FUZZ=1 $(BIN)/python -m pytest -n auto --dist loadfile -m hypothesis $(ARGS)

stack: $(STAMP) ## PostgreSQL, S3, MLflow, Prefect and two workers on this machine; docs/stack.md
	@$(BIN)/python -m infra.stack up

stack-down: $(STAMP) ## stop all of it: make stack-down ARGS=--wipe removes what it kept, too
	@$(BIN)/python -m infra.stack down $(ARGS)

stack-status: $(STAMP) ## what of it runs, where, with how much memory
	@$(BIN)/python -m infra.stack status

check: $(STAMP) ## format, lint, types, import rules
	@$(BIN)/ruff format --check .
	@$(BIN)/ruff check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports --no-cache > $(VENV)/imports.log || (cat $(VENV)/imports.log; exit 1)
	@grep '^Contracts:' $(VENV)/imports.log

format: $(STAMP) ## rewrite the source in the house's format
	@$(BIN)/ruff format .
	@$(BIN)/ruff check --fix .

bench-model: $(STAMP) $(if $(DATA),$(RIVALS)/.installed) ## the methods compared: make bench-model DATA=folder in MVTec AD layout
	@$(BIN)/python -m bench.model $(DATA) --seeds $(SEEDS) $(ARGS)

bench-demo: $(STAMP) ## the block of the README, from two runs of the demo
	@$(BIN)/python -m bench.first_page

bench-render: $(STAMP) ## docs/benchmarks.md from the results that are there
	@$(BIN)/python -m bench.model --render

bench-growth: $(STAMP) ## cost by number of training images: make bench-growth DATA=folder
	@$(BIN)/python -m bench.growth $(DATA) $(ARGS)

bench-scale: $(STAMP) ## a night of many small classes on one and on two workers
	@$(BIN)/python -m bench.scale $(ARGS)

bench-data: $(STAMP) ## versioning, reading and checking many images, beside plain DVC
	@$(BIN)/python -m bench.data $(ARGS)

bench-gates: $(STAMP) ## how often intervals hold the truth and gates are wrong, by simulation
	@$(BIN)/python -m bench.gates $(ARGS)

bench-lineage: $(STAMP) ## trace, history and audit on a plant of 1,000 model versions
	@$(BIN)/python -m bench.lineage $(ARGS)

bench-page: $(STAMP) ## the site of 100 models with a week of decisions
	@$(BIN)/python -m bench.morning $(ARGS)

bench-serve: $(STAMP) ## the scoring service beside mlflow models serve
	@$(BIN)/python -m bench.serve $(ARGS)

bench-endurance: $(STAMP) ## ten minutes of load with promotions, a damaged model and MLflow gone
	@$(BIN)/python -m bench.endurance $(ARGS)

bench-drift: $(STAMP) ## how soon drift is seen, and how often wrongly: make bench-drift DATA=folder
	@$(BIN)/python -m bench.drift $(DATA) $(ARGS)

bench-rivals: $(RIVALS)/.installed ## the environment of the methods compared with

lock: $(STAMP) ## resolve requirements.lock anew from pyproject.toml
	@$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --group dev \
	  --no-header --no-annotate --output-file $(LOCK) pyproject.toml

install: $(STAMP) ## the environment alone

# uv installs in parallel and shows what it does; --no-deps, since the lock is complete. Without
# compiled files every first command would compile a few thousand of them, one after the other.
# An environment without pip is one whose making was interrupted.
$(STAMP): $(LOCK) pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 15))' \
	  || (echo "patchae needs Python 3.11 to 3.14: make PYTHON=python3.12 ..."; exit 2)
	@$(BIN)/python -m pip --version >/dev/null 2>&1 \
	  || (echo "creating $(VENV)"; $(PYTHON) -m venv --clear $(VENV)) \
	  || (echo "$(VENV) could not be made; Debian, Ubuntu: apt-get install python3-venv"; exit 2)
	@echo "installing about 7.5 GB of packages from $(LOCK), once; this takes minutes"
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check "$$(grep '^uv==' $(LOCK))"
	@$(BIN)/uv pip install --python $(BIN)/python --no-deps --compile-bytecode -r $(LOCK)
	@$(BIN)/uv pip install --python $(BIN)/python --no-deps --quiet -e .
	@touch $@

# anomalib wants versions that patchae does not, so it lives apart.
$(RIVALS)/.installed: bench/rivals.txt | $(STAMP)
	@test -x $(RIVALS)/bin/python || $(BIN)/python -m venv --without-pip $(RIVALS)
	@$(BIN)/uv pip install --python $(RIVALS)/bin/python --quiet -r bench/rivals.txt
	@touch $@

clean: ## remove the environment and everything that can be made again; images and models stay
	rm -rf $(VENV) $(RIVALS) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis
