# make lists the targets.

GO       ?= go
FUZZTIME ?= 30s
SYSTEMS  ?= windows/amd64 darwin/arm64 linux/arm64 linux/386

STATICCHECK := honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK := golang.org/x/vuln/cmd/govulncheck@v1.9.0

export GO

# One go command sees one module: ./... ends at a go.mod.
each = @scripts/each '$(1)'
# The packages of all modules.
ALL := $$($(GO) list -m -f '{{.Dir}}/...')
# The end-to-end tests need other programs and a while.
QUICK := $$($(GO) list ./... | grep -v /test/e2e)

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## build the program into bin/
	$(GO) build -o bin/farwire ./cmd/farwire

.PHONY: deps
deps: ## install what the tests run beside Go: nginx, RabbitMQ, Node.js and others
	@scripts/deps

.PHONY: test
test: deps ## run every test of all modules, with the race detector
	@scripts/test -race -shuffle=on -timeout 40m

.PHONY: short
short: ## run the tests that need nothing but Go, without the race detector
	$(call each,$(GO) test -timeout 5m $(QUICK))

.PHONY: bench
bench: ## run every benchmark
	$(call each,$(GO) test -run "^$$" -bench . -benchmem -timeout 30m ./...)
	$(GO) run ./test/relaybench

.PHONY: soak
soak: ## try for half an hour, as root, what takes too long for the tests; SOAK="-parts faults300" for some of it
	$(GO) run ./test/soak $(SOAK)
	FARWIRE_SOAK=10 $(GO) test -count=1 -v -timeout 20m -run TestStream_ReaderStalls_CostsItsBudget ./test/e2e/amqp
	FARWIRE_SOAK=20 $(GO) test -count=1 -v -timeout 20m -run 'TestStream_FaultySessions|TestStream_Kills' ./test/e2e/amqp

.PHONY: quality
quality: ## judge the crawl's descriptions on real documentation sites
	$(GO) run ./test/crawlbench/quality

.PHONY: fuzz
fuzz: ## run each fuzz target for FUZZTIME (30s)
	@scripts/fuzz $(FUZZTIME)

.PHONY: lint
lint: ## look for mistakes: gofmt, go.mod, vet, staticcheck, known vulnerabilities
	@unformatted=$$(gofmt -l .); [ -z "$$unformatted" ] || { echo "gofmt would change:" $$unformatted; exit 1; }
	$(call each,$(GO) mod tidy -diff)
	$(GO) vet $(ALL)
	$(GO) run $(STATICCHECK) $(ALL)
	@command -v golangci-lint >/dev/null || echo "golangci-lint is not installed; house_test.go checks the import rules"
	$(call each,! command -v golangci-lint >/dev/null || golangci-lint run ./...)
	$(call each,$(CURDIR)/scripts/vulncheck $(GOVULNCHECK))

.PHONY: platforms
platforms: ## vet the code and tests of all modules for other systems, or for SYSTEMS="windows/amd64 …", a few minutes each
	@for system in $(SYSTEMS); do echo "$$system"; \
		CGO_ENABLED=0 GOOS=$${system%/*} GOARCH=$${system#*/} $(GO) vet $(ALL) || exit; done

.PHONY: release-check
release-check: ## install the program and compile a host from the modules as VERSION would release them, and the program for each platform, or for PLATFORMS
	$(GO) run ./test/release $(VERSION) $(PLATFORMS)
