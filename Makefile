# The front door: `make help` shows what there is. Every target is safe to run again.
.DEFAULT_GOAL := help
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
MAKEFLAGS += --no-print-directory --warn-undefined-variables
BIN := .venv/bin
STACK ?= jessy
STACKS_DIR ?= docker
LIMIT ?= staging
VERSION ?= dev
COMPOSE ?= distro
OVERWRITE ?=
REBUILD ?=

# Ansible ignores the settings of a directory that everybody can write to, and knows no host then.
ifneq ($(shell find . -maxdepth 0 -perm -o+w),)
  $(error everybody can write to this directory, so Ansible would ignore ansible.cfg: chmod o-w $(CURDIR))
endif

# The venv's own programs (ansible, sops, shellcheck) come before those of the machine.
export PATH := $(CURDIR)/$(BIN):$(PATH)

.PHONY: help
help: ## Show the targets
	@bold= blue= plain=; \
	if [ -z "$${NO_COLOR:-}" ] && { [ -t 1 ] || [ -n "$${FORCE_COLOR:-}" ]; }; then \
	  bold=$$'\e[1m' blue=$$'\e[36m' plain=$$'\e[0m'; fi; \
	printf '%sMaestro%s deploys Compose stacks to Linux machines.\n\n' "$$bold" "$$plain"; \
	sed -n 's/^\([a-z][a-z-]*\):.* ## \(.*\)/\1\t\2/p' $(MAKEFILE_LIST) | \
	while IFS=$$'\t' read -r target text; do printf '  %s%-14s%s %s\n' "$$blue" "$$target" "$$plain" "$$text"; done; \
	printf '\n  %s\n' 'Variables: STACK=jessy VERSION=dev STACKS_DIR=docker LAB_NAME=maestro LAB_PORT_OFFSET=0'

## Environment

.PHONY: venv venv-dev lock
venv: .venv/.runtime ## Create .venv from the lock files
venv-dev: .venv/.dev ## The same, with the tools for lint and tests

.venv/.runtime: requirements-bootstrap.lock requirements.lock pyproject.toml
	@scripts/bootstrap runtime

.venv/.dev: .venv/.runtime requirements-dev.lock
	@scripts/bootstrap dev

LOCK = $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
  --no-emit-find-links --custom-compile-command 'make lock' $(LOCK_OPTIONS)
LOCK_OPTIONS ?=
lock: .venv/.runtime ## Update the lock files from pyproject.toml (LOCK_OPTIONS=--upgrade for newer versions)
	$(LOCK) --group bootstrap -o requirements-bootstrap.lock
	$(LOCK) pyproject.toml -o requirements.lock
	$(LOCK) --extra dev -c requirements.lock pyproject.toml -o requirements-dev.lock

## Lab and deploy

.PHONY: demo lab lab-down provision images
demo: venv ## Create the lab and deploy Jessy to two staging hosts
	@scripts/demo

lab: venv ## Create or repair the lab: real hosts on this machine
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/lab.yml

lab-down: venv ## Remove the lab and everything on it
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/lab_down.yml

provision: venv ## Prepare the hosts of LIMIT for a deploy: Docker Engine, registry login
	@$(BIN)/ansible-playbook playbooks/provision.yml -l $(LIMIT)

images: venv ## Build a stack's images and push them: VERSION=TAG [STACK=jessy]
	@$(BIN)/ansible-playbook -i inventories/lab playbooks/images.yml -e stack=$(STACK) -e images_version=$(VERSION) \
	  -e maestro_stacks_dir=$(STACKS_DIR) $(if $(OVERWRITE),-e images_overwrite=$(OVERWRITE)) $(if $(REBUILD),-e images_rebuild=$(REBUILD))

## Checks

.PHONY: lint lint-ansible lint-yaml lint-python lint-types lint-shell lint-docker
lint: lint-python lint-types lint-yaml lint-shell lint-docker lint-ansible ## Check style and types of everything

# What git knows or would know, so that a new file is checked before it is added.
FILES = git ls-files -z --cached --others --exclude-standard
lint-python: .venv/.dev
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --diff .
lint-types: .venv/.dev
	@$(BIN)/mypy --no-error-summary
lint-yaml: .venv/.dev
	@$(BIN)/yamllint --strict .
lint-shell: .venv/.dev
	@$(FILES) | xargs -0 grep -lszE --null --directories=skip '^#!(/usr)?/bin/(env )?(ba)?sh' -- | xargs -0 $(BIN)/shellcheck
lint-docker: .venv/.dev
	@$(FILES) '*Dockerfile*' | xargs -0 --no-run-if-empty $(BIN)/hadolint
lint-ansible: .venv/.dev
	@$(BIN)/ansible-lint -q --nocolor

.PHONY: molecule
SCENARIO ?= docker_engine
DESTROY ?= always
molecule: venv-dev ## Run one Molecule scenario on hosts of the lab: SCENARIO=docker_engine [DESTROY=never]
	@$(BIN)/molecule reset --scenario-name $(SCENARIO)
	@$(BIN)/molecule test --scenario-name $(SCENARIO) --destroy $(DESTROY)

.PHONY: test unit requirements bench-noop ci hooks
# One session, so that its last line is the verdict on everything; its processes share the tests
# by lanes (tests/lanes.py). More than cores: much of what they do is waiting.
TESTS = $(wildcard tests/lint) $(wildcard tests/unit) $(wildcard tests/molecule) $(wildcard tests/e2e) \
  $(wildcard tests/load) $(wildcard tests/faults)
PYTEST_OPTIONS ?=
WORKERS ?= $(shell echo $$(( $$(nproc) + 2 )))
test: venv-dev ## Run every check: lint, unit, Molecule and end-to-end tests, coverage
	@rm -rf .cache/coverage; mkdir -p .cache/coverage
	@$(BIN)/pytest --full -n $(WORKERS) --dist loadscope --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90 $(PYTEST_OPTIONS) $(TESTS)

.PHONY: test-long
# The end-to-end tests that have a long form, and what has only that.
TESTS_LONG = $(wildcard tests/load) $(wildcard tests/faults) $(wildcard tests/e2e/test_announced.py) \
  $(wildcard tests/e2e/test_third_host.py) $(wildcard tests/e2e/test_edge_tls.py) \
  $(wildcard tests/e2e/test_canary.py) $(wildcard tests/e2e/test_gallery.py) \
  $(wildcard tests/e2e/test_data_on_volumes.py) $(wildcard tests/e2e/test_life.py) $(wildcard tests/e2e/test_networks.py)
test-long: venv-dev ## Run the long load, fault, plan and gallery tests; COMPOSE=new with a newer Compose
	@$(BIN)/pytest --long --compose=$(COMPOSE) $(PYTEST_OPTIONS) $(TESTS_LONG)

unit: venv-dev ## Run the tests that need no host
	@$(BIN)/pytest $(PYTEST_OPTIONS) tests/unit

requirements: venv-dev ## Show which requirements are tested and which are pending
	@$(BIN)/python tests/traceability.py

ROUNDS ?= 5
bench-noop: venv-dev ## Measure a deploy with nothing to do against a play of one task: ROUNDS=5
	@$(BIN)/python benchmarks/noop.py $(LIMIT) --rounds $(ROUNDS)

.PHONY: bench-roll bench-rollback
bench-roll: venv-dev ## Compare replacing one service with doing the same by hand
	@$(BIN)/python benchmarks/roll.py

bench-rollback: venv-dev ## Measure how long a rollback of Jessy takes
	@$(BIN)/python benchmarks/rollback.py

.PHONY: bench-redaction
bench-redaction: venv-dev ## Compare the speed of the redaction with a plain search
	@$(BIN)/python benchmarks/redaction.py

.PHONY: fuzz
SECONDS ?= 60
fuzz: venv-dev ## Test the redaction and the reading of stacks on random inputs: SECONDS=60
	@scripts/fuzz $(SECONDS)

ci: ## Run the CI pipeline, in a separate lab
	@.ci/run

hooks: venv-dev ## Check every commit in this clone
	@$(BIN)/pre-commit install
