.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help demo demo-down test lint format lock man

VENV := .venv/bin

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## converge the example fleet for real: git push -> running containers, step by step
	@scripts/bootstrap.sh
	@$(VENV)/python scripts/demo.py

demo-down: ## remove everything that the demo made
	@scripts/demo-down.sh

test: lint ## set up what the tests need, then check and test everything, real engines included
	@scripts/test-deps.sh
	@$(VENV)/pytest $(TESTS)

lint: ## ruff, mypy and the floors of the architecture
	@scripts/bootstrap.sh --dev
	@$(VENV)/ruff check --quiet .
	@$(VENV)/ruff format --check --quiet . || { echo "not formatted: run make format" >&2; exit 1; }
	@$(VENV)/mypy --no-error-summary
	@out=$$($(VENV)/lint-imports --no-logo 2>&1) || { echo "$$out"; exit 1; }

format: ## let ruff mend what it can
	@scripts/bootstrap.sh --dev
	@$(VENV)/ruff check --quiet --fix . || true
	@$(VENV)/ruff format --quiet .

man: ## write docs/man/reconciler.1 from the commands
	@scripts/bootstrap.sh
	@$(VENV)/python scripts/manpage.py

lock: ## write the lock files anew after a change of pyproject.toml (UPGRADE=1: newest of everything)
	@scripts/lock.sh $(if $(UPGRADE),--upgrade)
