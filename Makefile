.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.PHONY: help demo demo-down install uninstall hook test mutants bench bench-swarm lint format lock man

VENV := .venv/bin
WORKERS ?= 2 # each has a Docker engine of its own

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

demo: ## converge the example fleet for real: git push -> running containers, step by step
	@scripts/bootstrap.sh
	@$(VENV)/python scripts/demo.py

demo-down: ## remove everything that the demo made
	@scripts/demo-down.sh

install: ## the program, its timer and units on this machine; again to upgrade (PREFIX=/opt/reconciler, PYTHON=python3.12)
	@scripts/install.sh

uninstall: ## take the program and its units away; configuration and state stay
	@scripts/uninstall.sh

hook: ## let pushes to a bare repository of this machine converge at once (REPO=/srv/git/fleet.git)
	@REPO="$(REPO)" scripts/hook.sh

test: lint ## set up what the tests need, then check and test everything, real engines included
	@scripts/test-deps.sh
	@$(VENV)/pytest -n $(WORKERS) --dist loadfile $(TESTS)

bench: ## measure passes beside a floor and docker-compose (N="1 100 100/20", PEERS="floor", QUICK=1, JSON=1)
	@scripts/bootstrap.sh --dev
	@scripts/test-deps.sh
	@$(VENV)/python -m bench $(or $(N),$(if $(QUICK),10)) $(if $(QUICK),--rounds 1 --each 1,--watch) $(if $(JSON),--json) \
		$(if $(filter undefined,$(origin PEERS)),,--peers $(PEERS))
	@$(if $(JSON),,$(VENV)/python -m bench.rollback $(if $(QUICK),--rounds 1))

bench-swarm: ## simulate the placing of builds on drones, and measure the queue (SEEDS=20, QUICK=1)
	@scripts/bootstrap.sh --dev
	@$(VENV)/python -m bench.swarm $(if $(QUICK),--quick --seeds $(or $(SEEDS),3),$(if $(SEEDS),--seeds $(SEEDS)))
	@$(VENV)/python -m bench.swarm_queue $(if $(QUICK),200/8 --heartbeats 1 --large 1000)

mutants: ## break the invariants one by one, and see whether the tests notice (ONLY="a dead")
	@scripts/bootstrap.sh --dev
	@scripts/test-deps.sh
	@$(VENV)/python -m tests.support.mutation $(if $(ONLY),"$(ONLY)")

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
