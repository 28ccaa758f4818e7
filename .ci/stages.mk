# What `.ci/run STAGE` does: the target ci-STAGE, here and in every workflow. See docs/ci.md.
include Makefile

.PHONY: ci-lint ci-lint-jessy ci-unit ci-molecule ci-coverage ci-test-images ci-test-unit ci-test-integration ci-test-bdd
ci-lint: lint
ci-unit: unit
ci-molecule: molecule
ci-coverage: coverage
ci-test-unit: test-unit
ci-test-integration: test-integration
ci-test-bdd: test-bdd
ci-lint-jessy:
	@cd docker/jessy/core && cargo fmt --all -- --check
	@cd docker/jessy/core && cargo clippy --all-features -- -D warnings
ci-test-images:
	@docker/jessy/testing/images $(CACHE_FROM) $(CACHE_TO)

.PHONY: ci-build ci-try-images ci-scan ci-gate ci-push
CI_IMAGES = $(MAKE) images BUILD_HOST=$(or $(BUILD_HOST),localhost)
ci-build:
	@$(CI_IMAGES) PUSH=no
ci-try-images:
	@$(STACKS_DIR)/$(STACK)/testing/try-images
ci-scan: venv
	@rm -rf .cache/ci/scan
	@export VERSION='$(VERSION)'; $(SCAN) $$(scripts/ci/stack-images $(STACKS_DIR)/$(STACK))
ci-gate: venv
	@$(BIN)/python scripts/ci/scan.py --gate .cache/ci/scan
ci-push:
	@$(CI_IMAGES) LATEST=yes

.PHONY: ci-deploy ci-smoke ci-plan ci-approve ci-metrics ci-notify
ci-deploy ci-smoke ci-plan: venv
	@LIMIT='$(LIMIT)' STACK='$(STACK)' scripts/ci/hosts $(@:ci-%=%)
ci-approve: venv
	@scripts/ci/approve
ci-metrics: metrics
ci-notify:
	@python3 scripts/ci/notify.py
