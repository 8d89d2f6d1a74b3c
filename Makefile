# Everything here fails loudly when it cannot do its work; nothing is skipped.
# Settings: ARGS for the command, PKG for the packages, COUNT for race, FUZZTIME per fuzz test,
# ROWS for bench-large.

SHELL := bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help

PKG      ?= ./...
COUNT    ?= 5
FUZZTIME ?= 30s
ARGS     ?=
ROWS     ?= 10000 100000 1000000 10000000

# The race detector, on our code and all libraries but one: SQLite itself, C made into Go,
# which does its own locking through modernc.org/libc (that is watched). Watching every
# memory access of it made the tests of everything stored take several times as long.
RACE = -race -gcflags="modernc.org/sqlite/lib=-race=false -d=checkptr=0"

# What the tests of PKG need besides the code: Node for clients that others wrote, a
# browser for what the phone shows and for the whole seen through it, PostgreSQL for the
# store of several processes and for them, and what the examples are written in.
NEED = go gcc $(if $(filter ./... ./interop%,$(PKG)),node npm-clients) \
	$(if $(filter ./... ./examples%,$(PKG)),curl python node java) \
	$(if $(filter ./... ./sandbox/...% ./sandbox/phone% ./e2e%,$(PKG)),chromium) \
	$(if $(filter ./... ./store/...% ./store/postgres% ./server%,$(PKG)),postgres)

.PHONY: help check fmt vet staticcheck test postgres race fuzz golden run demo screenshots terminals bench bench-large bench-asynq prove

help: ## this list
	@sed -n 's/^\([a-z-]*\):.*## /\1\t/p' $(MAKEFILE_LIST) | while IFS=$$'\t' read -r target text; do printf '  make %-12s %s\n' "$$target" "$$text"; done

check: fmt vet staticcheck test ## format, vet, staticcheck, then all tests: what a change must pass

fmt: ## list files that gofmt would change, and fail if there are any
	@.ci/need go
	@unformatted=$$(gofmt -l .); if [ -n "$$unformatted" ]; then \
		echo "gofmt would change these; run: gofmt -w ." >&2; echo "$$unformatted" >&2; exit 1; fi
	@echo "gofmt: clean"

vet: ## go vet
	@.ci/need go
	go vet ./...
	cd bench/asynq && go vet .

staticcheck: ## staticcheck, in the version go.mod names
	@.ci/need go
	go tool staticcheck ./...

test: ## all tests once, under the race detector (PKG=./... by default), and docs/requirements.md against what ran
	@.ci/need $(NEED)
	CGO_ENABLED=1 go run ./internal/requirements/gotest $(RACE) -timeout 40m $(PKG)
	@echo "and without the race detector, with 50,000 messages instead of 4,000:"
	go test -count=1 -run '^TestAnOutageWithAKillInItsMiddle$$' ./dispatch

postgres: ## the tests against PostgreSQL alone (TEST_POSTGRES_URL names a server; without it they start one)
	@.ci/need go gcc postgres
	CGO_ENABLED=1 go test $(RACE) -timeout 40m ./store/postgres/... ./server

race: ## the tests COUNT times in random order, under the race detector
	@.ci/need $(NEED)
	CGO_ENABLED=1 go test $(RACE) -count=$(COUNT) -shuffle=on -timeout 60m $(PKG)

fuzz: ## every fuzz test for FUZZTIME
	@.ci/need go
	.ci/fuzz $(FUZZTIME)

golden: ## rewrite golden files and printed documents from the code
	@.ci/need go
	.ci/golden

run: ## the gateway on 127.0.0.1:7800 with ./data (ARGS="--listen …")
	@.ci/need go
	go run ./cmd/hongyan serve $(ARGS)

demo: ## gateway and sandbox together, every fate of a message (ARGS=--exit to check and leave)
	@.ci/need go
	go run ./cmd/hongyan demo $(ARGS)

screenshots: ## the pictures of the phone in docs/images, with headless Chromium
	@.ci/need go
	.ci/screenshots

terminals: ## the pictures of the terminal in docs/images (ports 7800 and 7900 must be free)
	@.ci/need go
	.ci/terminals

bench: ## the benchmark: gateway and bare loop side by side (ARGS="--messages 100000")
	@.ci/need go
	go run ./cmd/hongyan bench $(ARGS)

bench-large: ## how cost grows with what is stored: ROWS="10000 100000 1000000 10000000", 10 GB of disk and an hour for the last
	@.ci/need go
	@go build -o "$${TMPDIR:-/tmp}/hongyan-bench" ./cmd/hongyan
	@for rows in $(ROWS); do echo "== $$rows"; "$${TMPDIR:-/tmp}/hongyan-bench" bench --scenario drain,backlog --messages $$rows $(ARGS); done

bench-asynq: ## asynq on Redis beside the same bare loop (ARGS="--fsync everysec"); takes redis-server
	@.ci/need go
	cd bench/asynq && go run . $(ARGS)

prove: ## the crash proof in its long form: 200 kills and every other test (ARGS="--seed 7")
	@.ci/need go
	go build -o "$${TMPDIR:-/tmp}/hongyan-prove" ./cmd/hongyan
	"$${TMPDIR:-/tmp}/hongyan-prove" prove --kills 200 --only all $(ARGS)
