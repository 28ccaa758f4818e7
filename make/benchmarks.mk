## Benchmarks

.PHONY: bench-noop
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
