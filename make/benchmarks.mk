## Benchmarks

.PHONY: bench-noop
ROUNDS ?= 7
bench-noop: venv-dev ## Measure a deploy with nothing to do against a play of one task: ROUNDS=7
	@$(BIN)/python benchmarks/noop.py $(LIMIT) --rounds $(ROUNDS)

.PHONY: bench-profile
HOSTS ?= staging-1
bench-profile: venv-dev ## Draw where the time of a no-op, a deploy and a rollback goes: HOSTS=staging-1
	@$(BIN)/python benchmarks/steps.py $(HOSTS)

.PHONY: bench-hosts
NAMES ?= 100
bench-hosts: venv-dev ## Measure what each further host costs the controller: NAMES=100
	@$(BIN)/python benchmarks/hosts.py $(NAMES)

.PHONY: bench-roll bench-rollback
bench-roll: venv-dev ## Compare replacing one service with doing the same by hand
	@$(BIN)/python benchmarks/roll.py

bench-rollback: venv-dev ## Measure how long a rollback of Jessy takes
	@$(BIN)/python benchmarks/rollback.py

.PHONY: bench-redaction
bench-redaction: venv-dev ## Compare the speed of the redaction with a plain search
	@$(BIN)/python benchmarks/redaction.py
