## Jessy's tests

.PHONY: test-jessy test-unit test-integration test-bdd
test-jessy: ## Run Jessy's tests in containers: unit, integration, BDD, coverage of at least 80 %
	@docker/jessy/testing/run unit integration bdd coverage
test-unit: ## Run the unit tests of Jessy's core and API in containers
	@docker/jessy/testing/run unit
test-integration: ## Test Jessy's services together, in a stack of their own
	@docker/jessy/testing/run integration
test-bdd: ## Run Jessy's features step by step, in a stack of their own
	@docker/jessy/testing/run bdd

.PHONY: coverage
# What Jessy's tests and the toolkit's unit tests reach: test-results/{rust,go,python}/index.html,
# and test-results/index.html over all of them.
coverage: venv-dev ## Show the coverage of Rust, Go and Python as pages in test-results/; below 80 % fails
	@docker/jessy/testing/run unit integration bdd coverage
	@COVERAGE_FILE=.cache/coverage-page/data $(BIN)/pytest -q -n $(WORKERS) --cov --cov-fail-under=80 --cov-report= \
	  --cov-report=html:test-results/python --cov-report=json:test-results/python.json $(PYTEST_OPTIONS) tests/unit
	@$(BIN)/python scripts/coverage_page.py test-results
