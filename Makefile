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
	@scripts/help $(MAKEFILE_LIST)

# One file for each subject, a screen at most; the help shows them in this order.
include make/environment.mk
include make/jessy.mk
include make/lab.mk
include make/lint.mk
include make/tests.mk
include make/jessy-tests.mk
include make/jessy-bench.mk
include make/mami.mk
include make/benchmarks.mk
include make/ci.mk
