# Every task in this repository has a target here.
.DEFAULT_GOAL := help
GO ?= go
STATICCHECK := $(GO) run honnef.co/go/tools/cmd/staticcheck@v0.8.2
PLATFORMS := linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64
BINARIES := $(notdir $(wildcard cmd/*))
VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo dev)
# grpcnotrace leaves out grpc's debug pages, which are not served here. They import html/template,
# with which the linker keeps every method of every type: 3 MB.
TAGS := grpcnotrace
comma := ,
LDFLAGS := -s -w -X main.version=$(VERSION)
# The linker keeps methods that templates call by name, and no others: another 5 MB (docs/adr/0018-methods-of-templates.md).
OVERLAY := bin/overlay/overlay.json
# These packages are compiled without inlining: their speed does not matter here, and the console is
# 3 MB smaller.
SMALL := github.com/cockroachdb/... cel.dev/... github.com/antlr4-go/... google.golang.org/... github.com/gogo/... github.com/prometheus/... \
	go.opentelemetry.io/... go.yaml.in/... github.com/spf13/... golang.org/x/net/... text/template/... html/template net/http baton/console/web baton/console/api baton/console/cli \
	baton/console/server baton/console/config baton/console/installation baton/console/scim baton/console/siem baton/console/webhook baton/console/notify baton/console/mail baton/console/telemetry \
	baton/console/govern baton/console/approve baton/console/worker baton/console/findings \
	baton/sandbox/... github.com/go-jose/... github.com/wneessen/... crypto/x509 encoding/xml github.com/minio/... github.com/getsentry/... github.com/robfig/...
BUILD = CGO_ENABLED=0 $(GO) build -tags $(TAGS) -overlay $(OVERLAY) -trimpath $(SMALL:%=-gcflags=%=-l) -ldflags '$(LDFLAGS)'

.PHONY: help
help: ## List the targets
	@awk -F':.*## ' '/^[a-z-]+:.*## /{printf "  %-14s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: build
build: overlay ## Build the programs into bin/
	@for b in $(BINARIES); do $(BUILD) -o bin/$$b ./cmd/$$b || exit 1; done

.PHONY: overlay
overlay:
	@$(GO) run ./internal/overlay "$$($(GO) env GOROOT)" $(dir $(OVERLAY))

# Modules of their own (docs/adr/0006-nested-modules.md).
NESTED := deploy release

.PHONY: test
test: ## Run the tests in their short size: two minutes of CPU
	$(GO) test ./...

.PHONY: test-all
test-all: ## Run the tests in their long size, and those of the nested modules
	$(GO) test -tags long -timeout 20m ./...
	@for m in $(NESTED); do (cd $$m && $(GO) test -timeout 20m ./...) || exit 1; done

.PHONY: race
race: ## Run the short tests with the race detector (needs a C compiler; RACE=./agent/... selects packages)
	CGO_ENABLED=1 $(GO) test -race -timeout 25m $(or $(RACE),./...)

.PHONY: check
check: ## Formatting, vet, staticcheck
	@out=$$(gofmt -l $$(git ls-files '*.go' | grep -v '\.pb\.go$$')); [ -z "$$out" ] || { echo "not gofmt-clean: $$out"; exit 1; }
	$(GO) vet ./...
	$(GO) vet -tags long ./internal/longtest
	$(STATICCHECK) ./...
	@for m in $(NESTED); do echo $$m; (cd $$m && $(GO) vet ./...) || exit 1; done
	cd release && $(STATICCHECK) ./...

.PHONY: cross
cross: overlay ## Build for every platform
	@for p in $(PLATFORMS); do echo $$p; for b in $(BINARIES); do \
		GOOS=$${p%/*} GOARCH=$${p#*/} $(BUILD) -o dist/$${p%/*}-$${p#*/}/ ./cmd/$$b || exit 1; done; done

.PHONY: release
release: ## Build the published files into dist/VERSION (VERSION=v0.1.0; ONLY=linux/amd64 for one platform, KEY=PEM file signs, SOURCE=URL of the sources)
	$(GO) run -C release . build -version $(VERSION) -out ../dist/$(VERSION) $(if $(ONLY),-platforms $(ONLY)) $(if $(KEY),-sign-key $(abspath $(KEY))) $(if $(SOURCE),-source $(SOURCE))

.PHONY: release-check
release-check: ## Build a whole release twice from scratch, and compare
	cd release && $(GO) test -count=1 -run Reproducible -timeout 1h -v . -whole

.PHONY: image-test
image-test: ## Run the images with a read-only root as their user, beside the sandboxes (needs root)
	@rm -rf bin/rootfs && mkdir -p bin/rootfs
	@for b in $(BINARIES); do \
		$(GO) run -C release . rootfs -program $$b -platform linux/$$($(GO) env GOARCH) -version v0.0.0 -dirty -out ../bin/rootfs/$$b || exit 1; done
	$(GO) test -count=1 -v ./test/image -images $(CURDIR)/bin/rootfs

.PHONY: sizes
sizes: ## Measure the binaries and images, write the README's table; fails where a binary has more than 50 MB
	$(GO) run -C release . sizes -update ../README.md

.PHONY: site
site: ## Write the documents as HTML pages into dist/site, to be read without a network
	$(GO) run -C release . site -out ../dist/site

CHROMIUM ?= chromium

.PHONY: picture
picture: build ## Draw docs/report.png, the report in the README (needs chromium)
	@dir=$$(mktemp -d) && trap "rm -rf $$dir" EXIT && \
	(cd $$dir && $(CURDIR)/bin/baton-perplexity demo >/dev/null && $(CURDIR)/bin/baton-perplexity report --out report.html) && \
	$(CHROMIUM) --headless=new --no-sandbox --disable-gpu --hide-scrollbars --user-data-dir=$$dir/profile --blink-settings=preferredColorScheme=1 \
		--window-size=1100,650 --screenshot=$(CURDIR)/docs/report.png file://$$dir/report.html 2>/dev/null

.PHONY: picture-console
picture-console: ## Draw docs/console*.png, the pictures of the console in the README (needs chromium; BATON_TEST_AXE=axe.min.js)
	cd test/browser && BATON_TEST_BROWSER=require BATON_TEST_DOCUMENT=$(CURDIR)/docs $(GO) test -count=1 -run '^TestDemo$$' .

.PHONY: fuzz
fuzz: ## Run every fuzz target for FUZZTIME=30s, or those that match FUZZ=Answer
	@GO=$(GO) .ci/fuzz

.PHONY: bench bench-small
bench: build ## Measure all sizes, write docs/performance.* (OFFICIAL_PERCIPIO=path OFFICIAL_SCIM=path BENCH='-sizes large')
bench-small: BENCH ?= -sizes small -document ""
bench-small: build ## Measure the small size only, write no document
bench bench-small:
	@for b in bench bench/floor; do $(BUILD) -o bin/ ./test/$$b || exit 1; done
	bin/bench -official-percipio '$(OFFICIAL_PERCIPIO)' -official-scim '$(OFFICIAL_SCIM)' $(BENCH)

GRANTS ?= 1000000

.PHONY: expiries
expiries: ## Let 10,000 accesses run out at once, in ten applications and in one, on both databases (EXPIRIES=10000)
	$(GO) test ./console/hosted -run TestManyExpiries -v -timeout 30m -expiries $(or $(EXPIRIES),10000) 2>&1 | grep -E "applications:|---|FAIL|_test.go"

.PHONY: rolling
rolling: ## Restart three replicas behind HAProxy in turn, under 10,000 page loads and 200 changes (needs haproxy; LOADS=10000 TASKS=200)
	BATON_TEST_POSTGRES=require BATON_TEST_HAPROXY=require $(GO) test ./cmd/baton-console -count=1 -run TestRollingRestart -v -timeout 60m \
		-loads $(or $(LOADS),10000) -tasks $(or $(TASKS),200) 2>&1 | grep -E "^rolling:|^---|_test.go|^FAIL|^ok"

.PHONY: rivals
rivals: ## Let the two last administrators go at the same time, 1,000 times, through two processes on PostgreSQL and one on SQLite
	$(GO) test -tags long ./cmd/baton-console -run TestLastTwoAdmins -v -timeout 30m

.PHONY: operation-kills
operation-kills: ## Kill the console at many points of operations, on both databases
	$(GO) test -tags long ./console/hosted -run TestKill -v -timeout 30m

.PHONY: bench-console
bench-console: ## Measure syncs into both databases of the console; prints a table for docs/performance.md (GRANTS=1000000)
	$(GO) test -c -o bin/ingest.test ./console/ingest
	cd console/ingest && ../../bin/ingest.test -test.run '^$$' -test.bench '^BenchmarkIngest$$' -test.benchtime 1x -test.timeout 60m -grants $(GRANTS)

.PHONY: bench-console-pages
bench-console-pages: ## Measure every page of a large tenant on both databases; prints a table for docs/performance.md (GRANTS=1000000)
	$(GO) test -c -o bin/web.test ./console/web
	cd console/web && ../../bin/web.test -test.run '^$$' -test.bench '^BenchmarkPages$$' -test.benchtime 1x -test.timeout 60m -grants $(GRANTS)

.PHONY: bench-console-findings
bench-console-findings: ## Measure the findings of a tenant each of whose accounts has one, on both databases; prints tables for docs/performance.md (FINDINGS=100000)
	$(GO) test -c -o bin/web.test ./console/web
	cd console/web && ../../bin/web.test -test.run '^$$' -test.bench '^BenchmarkFindings$$' -test.benchtime 1x -test.timeout 60m -findings $(or $(FINDINGS),100000)

.PHONY: bench-console-reviews
bench-console-reviews: ## Measure a review on both databases: freeze, pages, decisions, progress (ITEMS=100000)
	$(GO) test -c -o bin/review.test ./console/review
	cd console/review && ../../bin/review.test -test.run '^$$' -test.bench '^BenchmarkReview$$' -test.benchtime 1x -test.timeout 60m -items $(or $(ITEMS),100000)

.PHONY: bench-console-replicas
bench-console-replicas: ## Measure what operations cost with more replicas, connectors, people and grants; prints rows for docs/performance.md
	BATON_TEST_POSTGRES=require $(GO) test ./cmd/baton-console -count=1 -run TestCosts -v -timeout 60m -cost-operations 60 -cost-rest 60s \
		-costs $(or $(COSTS),1/10/0/0$(comma)2/10/0/0$(comma)3/10/0/0$(comma)1/100/0/0$(comma)1/500/0/0$(comma)1/10/100000/0$(comma)1/10/0/1000000) | grep -E "^costs:|^---|_test.go|^FAIL|^ok"

.PHONY: crash-sweep
crash-sweep: ## Kill syncs, cut their power and fill their disk at every point; prints the counts (SEED=1)
	$(GO) test -c -o bin/crash.test ./test/crash
	cd test/crash && ../../bin/crash.test -test.timeout 60m -every -seed $${SEED:-1}

.PHONY: planted
planted: ## Build defects in, one at a time; a test must fail for each
	$(GO) test ./test/arch -count=1 -timeout 60m -run TestPlanted -planted -v

.PHONY: storm
storm: ## Run both connectors under every fault, alone and in combinations; prints the outcomes (STORM_RUNS=3000 STORM_SEED=1)
	$(GO) test -tags long -c -o bin/storm.test ./test/storm
	cd test/storm && ../../bin/storm.test -test.timeout 60m -test.run 'TestSyncs|TestChanges|TestRaces|TestKinds|TestPlantedBugs' -print -runs $${STORM_RUNS:-3000} -seed $${STORM_SEED:-1}

.PHONY: generate
generate: ## Generate internal/pb from proto/ (needs protoc)
	$(GO) generate ./proto/...

.PHONY: golden
golden: ## Update the golden files; read the diff before committing it
	$(GO) test ./connector/... ./cmd/... ./docs ./c1z/writer ./report -update

.PHONY: clean
clean: ## Remove build results
	rm -rf bin dist
