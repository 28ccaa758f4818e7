## The Python environment

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

.PHONY: hooks
hooks: venv-dev ## Check every commit in this clone
	@$(BIN)/pre-commit install

.PHONY: package
package: venv ## Build the wheel and the Ansible collection into dist/
	@scripts/package
