## Jessy for its developers

JESSY ?= docker/jessy
COMPOSE_JESSY = scripts/stack $(JESSY)
CONFIRM ?=
.PHONY: up down build ps logs logs-rust logs-go shell-rust shell-go restart rebuild watch fmt clippy clean
up: ## Run Jessy with hot reload: builds what is missing, migrates, waits until all is healthy
	@scripts/up $(JESSY)
	@echo "The API answers at http://$$($(COMPOSE_JESSY) port jessy-api 3000)/api/health"
	@echo "The core answers at http://$$($(COMPOSE_JESSY) port jessy-core 8080)/health"

down: ## Stop Jessy; data and caches stay
	@$(COMPOSE_JESSY) down --remove-orphans

build: ## Build the images of development
	@# Both programs at once: Compose itself builds the API after the core.
	@$(COMPOSE_JESSY) build db jessy-core & core=$$!; $(COMPOSE_JESSY) build jessy-api; wait $$core

rebuild: ## Build them again from nothing, and run what was built
	@$(COMPOSE_JESSY) build --no-cache
	@$(COMPOSE_JESSY) up --detach --wait

restart: ## Restart the services, and wait until all are healthy
	@$(COMPOSE_JESSY) restart
	@$(COMPOSE_JESSY) up --detach --wait

watch: up logs ## The same as up, and then follow the logs: builds, errors, requests

ps: ## List the services
	@$(COMPOSE_JESSY) ps --all

logs: ## Follow the logs of all services; logs-rust and logs-go: of one
	@$(COMPOSE_JESSY) logs --follow --tail=100

logs-rust: ## Follow the logs of the core
	@$(COMPOSE_JESSY) logs --follow --tail=100 jessy-core

logs-go: ## Follow the logs of the API
	@$(COMPOSE_JESSY) logs --follow --tail=100 jessy-api

shell-rust: ## Open a shell in the core's container
	@$(COMPOSE_JESSY) exec $(TERMINAL) jessy-core bash

shell-go: ## Open a shell in the API's container
	@$(COMPOSE_JESSY) exec $(TERMINAL) jessy-api bash
TERMINAL = $(shell [ -t 0 ] || echo -T)

RUN_IN = $(COMPOSE_JESSY) run --rm --no-deps -T --entrypoint
fmt: ## Format the sources of the core and the API
	@$(RUN_IN) cargo jessy-core fmt
	@$(RUN_IN) gofmt jessy-api -l -w .

clippy: ## Check the core with Clippy; a warning fails
	@$(RUN_IN) cargo jessy-core clippy --locked --all-targets -- --deny warnings

clean: ## Remove Jessy's containers, images and volumes, with their data: CONFIRM=1
	@[ "$(CONFIRM)" = 1 ] || { echo "This deletes Jessy's development database and caches. If you mean it: make clean CONFIRM=1" >&2; exit 1; }
	@$(COMPOSE_JESSY) --profile '*' down --volumes --remove-orphans --rmi all
	@project=$$($(COMPOSE_JESSY) config | sed -n 's/^name: //p'); \
	  docker volume ls --quiet --filter "label=com.docker.compose.project=$$project" | xargs --no-run-if-empty docker volume rm
