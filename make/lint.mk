## Style and types

.PHONY: lint lint-ansible lint-yaml lint-python lint-types lint-shell lint-docker lint-workflows
lint: lint-python lint-types lint-yaml lint-shell lint-docker lint-workflows lint-ansible ## Check style and types of everything

# What git knows or would know, so that a new file is checked before it is added.
FILES = git ls-files -z --cached --others --exclude-standard
lint-python: .venv/.dev ## Check the Python: style and form (ruff)
	@$(BIN)/ruff check --quiet .
	@$(BIN)/ruff format --quiet --diff .
lint-types: .venv/.dev ## Check the types of the Python (mypy)
	@$(BIN)/mypy --no-error-summary
	@$(BIN)/mypy --no-error-summary library doc_fragments module_utils/step.py module_utils/work.py
lint-yaml: .venv/.dev ## Check the YAML (yamllint)
	@$(BIN)/yamllint --strict .
lint-shell: .venv/.dev ## Check the shell scripts (shellcheck)
	@$(FILES) | xargs -0 grep -lszE --null --directories=skip '^#!(/usr)?/bin/(env )?(ba)?sh' -- | xargs -0 $(BIN)/shellcheck
lint-docker: .venv/.dev ## Check the Dockerfiles (hadolint)
	@$(FILES) '*Dockerfile*' | xargs -0 --no-run-if-empty $(BIN)/hadolint
lint-ansible: .venv/.dev ## Check the playbooks and roles (ansible-lint)
	@$(BIN)/ansible-lint -q --nocolor
# actionlint is built from its module once for each machine.
lint-workflows: .venv/.dev ## Check the workflows of CI (actionlint, zizmor)
	@$$(scripts/go-tool actionlint) -shellcheck= -pyflakes=
	@$(BIN)/zizmor --quiet --offline --no-progress --persona=pedantic .github
