## Scans and figures

.PHONY: scan metrics
IMG ?=
SCANNER ?= osv-scanner
# A scanner that works offline reads its database there; the command that has the images.
SCAN_DB ?=
SCAN_DOCKER ?= docker
SCAN = $(BIN)/python scripts/ci/scan.py --scanner '$(SCANNER)' --database '$(SCAN_DB)' --docker '$(SCAN_DOCKER)'
scan: venv ## List the parts of an image (SBOM) and scan it (SARIF); a critical finding fails: IMG=NAME [SCANNER=trivy]
	@$(SCAN) $(IMG)

metrics: venv ## Add this commit's build times, image sizes, test times and benchmarks; name what grew by more than 10 %
	@$(BIN)/python scripts/ci/metrics.py
