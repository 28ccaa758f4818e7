## Mami for its developers

MAMI ?= docker/mami
COMPOSE_MAMI = scripts/stack $(MAMI)
.PHONY: mami-up mami-down mami-logs test-mami lock-mami
mami-up: ## Run Mami with hot reload: builds what is missing, waits until all is healthy
	@scripts/up $(MAMI)
	@echo "The page is at http://localhost:$$($(COMPOSE_MAMI) port mami-ui 5173 | sed 's/.*://')"
	@echo "The API answers at http://$$($(COMPOSE_MAMI) port mami-ai 8000)/health"

mami-down: ## Stop Mami; data and caches stay
	@$(COMPOSE_MAMI) down --remove-orphans

mami-logs: ## Follow the logs of all its services
	@$(COMPOSE_MAMI) logs --follow --tail=100

test-mami: ## Run the tests of Mami's API and worker in a container
	@$(MAMI)/testing/run

lock-mami: venv-dev ## Compute the lock files of Mami's API again (LOCK_OPTIONS=--upgrade for newer versions)
	@$(MAMI)/ai/lock $(LOCK_OPTIONS)
