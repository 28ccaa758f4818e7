## Jessy's benchmarks

.PHONY: bench bench-compare
bench: venv ## Measure Jessy in containers: functions, and the whole stack under load; pages in test-results/bench
	@PYTHONPATH=benchmarks $(BIN)/python -m jessy.run

# A revision of git to compare with.
BASE ?= HEAD
bench-compare: venv ## Compare the speed of the core's functions with those of a revision: BASE=HEAD
	@PYTHONPATH=benchmarks $(BIN)/python -m jessy.compare --base $(BASE)

.PHONY: build-report
build-report: venv ## Measure how Jessy's images are built, cold and warm, and their sizes: test-results/build/build.json
	@PYTHONPATH=benchmarks $(BIN)/python -m jessy.build
