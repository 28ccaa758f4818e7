## Tests

.PHONY: molecule
SCENARIO ?= docker_engine
DESTROY ?= always
molecule: venv-dev ## Run one Molecule scenario on hosts of the lab: SCENARIO=docker_engine [DESTROY=never]
	@$(BIN)/molecule reset --scenario-name $(SCENARIO)
	@$(BIN)/molecule test --scenario-name $(SCENARIO) --destroy $(DESTROY)

.PHONY: test unit requirements
# One session, so that its last line is the verdict on everything; its processes share the tests
# by lanes (tests/lanes.py). More than cores: much of what they do is waiting.
TESTS = $(wildcard tests/lint) $(wildcard tests/unit) $(wildcard tests/molecule) $(wildcard tests/e2e) \
  $(wildcard tests/load) $(wildcard tests/faults)
PYTEST_OPTIONS ?=
# Empty with TESTS="..." of your own: a part of the tests does not show what docs/requirements.yml claims.
FULL ?= --full
WORKERS ?= $(shell echo $$(( $$(nproc) + 2 )))
# The tests' assertions are prepared once and kept, whatever the surroundings say of compiled files:
# each process would take seconds for that.
test test-long unit: export PYTHONDONTWRITEBYTECODE :=
test: venv-dev ## Run every check: lint, unit, Molecule and end-to-end tests, coverage
	@rm -rf .cache/coverage; mkdir -p .cache/coverage
	@$(BIN)/pytest --collect-only -qq $(TESTS) >/dev/null 2>&1 || true
	@$(BIN)/pytest $(FULL) -n $(WORKERS) --dist loadscope --no-loadscope-reorder --cov --cov-report=term --cov-fail-under=90 $(PYTEST_OPTIONS) $(TESTS)

.PHONY: test-long
# The end-to-end tests that have a long form, and what has only that.
TESTS_LONG = $(wildcard tests/load) $(wildcard tests/faults) $(wildcard tests/molecule) $(wildcard tests/e2e/test_announced.py) \
  $(wildcard tests/e2e/test_third_host.py) $(wildcard tests/e2e/test_edge_tls.py) \
  $(wildcard tests/e2e/test_canary.py) $(wildcard tests/e2e/test_gallery.py) \
  $(wildcard tests/e2e/test_data_on_volumes.py) $(wildcard tests/e2e/test_life.py) $(wildcard tests/e2e/test_networks.py) $(wildcard tests/e2e/test_jessy_up.py) $(wildcard tests/e2e/test_outlives_down.py) $(wildcard tests/e2e/test_mami*.py) \
  $(wildcard tests/e2e/test_jessy_stress.py) $(wildcard tests/e2e/test_jessy_bench.py) $(wildcard tests/e2e/test_jessy_tests.py) \
  $(wildcard tests/e2e/test_workflow_runs.py) $(wildcard tests/e2e/test_workflow_cancelled.py) $(wildcard tests/lint/test_secret_scan.py) \
  $(wildcard tests/e2e/test_own_repository.py) $(wildcard tests/e2e/test_images_tried.py) $(wildcard tests/e2e/test_scan.py) \
  $(wildcard tests/e2e/test_observability*.py) $(wildcard tests/e2e/test_tracing*.py) $(wildcard tests/e2e/test_watchdog.py) $(wildcard tests/e2e/test_third_stack.py) \
  $(wildcard tests/lint/test_sanity.py) $(wildcard tests/lint/test_ci.py) $(wildcard tests/e2e/test_fetch.py)
test-long: venv-dev ## Run the long load, fault, plan and gallery tests; COMPOSE=new with a newer Compose
	@$(BIN)/pytest --long --compose=$(COMPOSE) $(PYTEST_OPTIONS) $(TESTS_LONG)

unit: venv-dev ## Run the tests that need no host
	@$(BIN)/pytest $(PYTEST_OPTIONS) tests/unit

requirements: venv-dev ## Show which requirements are tested and which are pending
	@$(BIN)/python tests/traceability.py

.PHONY: fuzz
SECONDS ?= 60
fuzz: venv-dev ## Test the redaction and the reading of stacks on random inputs: SECONDS=60
	@scripts/fuzz $(SECONDS)

.PHONY: ci
ci: ## Run the CI pipeline, in a separate lab
	@.ci/run
