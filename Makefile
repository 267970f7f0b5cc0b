SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DELETE_ON_ERROR:
.DEFAULT_GOAL := help
MAKEFLAGS += --warn-undefined-variables --no-builtin-rules

# Go and make are all that is needed. The tools that only developers need are pinned in tools/go.mod.
GO       ?= go
TOOL     := $(GO) tool -modfile=tools/go.mod
ARGS     ?=
FUZZTIME ?= 10s

# Go records the commit in the binary, and refuses to build where it sees a checkout that git will not read.
BUILDVCS := $(shell git status --porcelain >/dev/null 2>&1 && echo true || echo false)

.PHONY: help
help: ## List the targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-6s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: ## Build bin/fairway
	CGO_ENABLED=0 $(GO) build -trimpath -buildvcs=$(BUILDVCS) -o bin/fairway ./cli/fairway

# exec puts Fairway in the shell's place, so that Ctrl-C reaches it and nothing else.
.PHONY: run
run: build ## Run Fairway on this machine, with its documents in ./data (ARGS="--log.level debug")
	@exec bin/fairway serve $(ARGS)

# The race detector needs cgo, which Go turns off by itself where there is no C compiler.
.PHONY: test
test: ## Run all tests, with the race detector where there is a C compiler
	@if [ "$$($(GO) env CGO_ENABLED)" = 1 ]; then \
		race=-race; \
	else \
		race=; echo "No C compiler: testing without the race detector."; \
	fi; \
	$(GO) test $$race ./...

.PHONY: gen
gen: ## Generate the Go code of interface-center from its protos
	cd interface-center && $(GO) tool -modfile=../tools/go.mod buf generate

.PHONY: lint
lint: gen ## Check format, vet, staticcheck, and that the generated code is fresh
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then echo "gofmt would change:"; echo "$$unformatted"; exit 1; fi
	$(GO) vet ./...
	$(TOOL) staticcheck ./...
	git diff --exit-code -- interface-center/out
	@new=$$(git ls-files --others --exclude-standard interface-center/out); if [ -n "$$new" ]; then echo "generated, but not committed:"; echo "$$new"; exit 1; fi

.PHONY: demo
demo: build ## Book freight with a temporary Fairway, or with the one at FAIRWAY_API, and show what happens
	@deploy/demo.sh

.PHONY: prove
prove: build ## Kill a temporary Fairway again and again under load, and check that no answer was broken (ARGS="--for 20s")
	@deploy/prove.sh $(ARGS)

.PHONY: bench
bench: ## Run the benchmarks
	$(GO) test -run '^$$' -bench . -benchmem ./...

.PHONY: fuzz
fuzz: ## Run each fuzz test for FUZZTIME (10s)
	@for package in $$($(GO) list ./...); do \
		for test in $$($(GO) test -list '^Fuzz' $$package | grep '^Fuzz' || true); do \
			echo "$$package $$test"; \
			$(GO) test -run '^$$' -fuzz "^$$test\$$" -fuzztime $(FUZZTIME) $$package; \
		done; \
	done

# The documents in ./data are not build output: they stay.
.PHONY: clean
clean: ## Remove what was built
	rm -rf bin dist
