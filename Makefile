# Everything a person or CI calls. `make setup` costs nothing when nothing changed.
SHELL := /bin/sh
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.setup-stamp
JOBS ?= 2
unexport PYTHONDONTWRITEBYTECODE

.PHONY: setup demo test check lint format bench docs lock clean

setup: $(STAMP)

$(STAMP): requirements.lock pyproject.toml .ci/setup
	@sh .ci/setup "$(VENV)" "$(STAMP)"

demo: setup ## the main job on a bundled brief; MODEL=SPEC or MODEL=auto asks a model instead of the replay
	@$(BIN)/studio demo $(if $(MODEL),--model "$(MODEL)")

test: setup ## every test
	@$(BIN)/python -m pytest -n $(JOBS) --dist loadfile -p no:randomly -q $(ARGS)

lint: setup
	@$(BIN)/ruff format --check studio widgets themes tests
	@$(BIN)/ruff check studio widgets themes tests
	@$(BIN)/lint-imports
	@$(BIN)/basedpyright

check: lint test ## format, lint, types, contracts, tests

format: setup
	@$(BIN)/ruff check --fix -q studio widgets themes tests
	@$(BIN)/ruff format -q studio widgets themes tests

bench: setup ## each prints medians and ratios against a floor or a peer of the same run
	@for file in tests/benchmarks/bench_*.py; do echo "== $$file"; $(BIN)/python "$$file" || exit 1; done

docs: setup ## the reference pages, from the code
	@$(BIN)/python -m studio.cli.reference docs/reference

lock: ## after a change of dependencies
	@$(BIN)/uv pip compile -q pyproject.toml --group dev --universal --python-version 3.11 --generate-hashes \
	  --no-emit-index-url -o requirements.lock

clean:
	@rm -rf $(VENV) .pytest_cache .ruff_cache .mypy_cache .hypothesis dist build
