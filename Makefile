# The front door, for people and for CI: `make` lists what there is. Every target works twice, without a terminal, and with
# nothing installed but a Rust toolchain on Debian or Ubuntu.

SHELL := /bin/bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help

# Kamailio is installed outside an ordinary user's path.
export PATH := $(PATH):/usr/sbin
TARGET := $(or $(CARGO_TARGET_DIR),target)
INTEROP := build/venv/bin/python interop/run.py --onhook $(TARGET)/debug/onhook
PROVING = $(TARGET)/release/proving --seed $(SEED)
# Which cases, for `make interop` and how long, for `make fuzz`.
CASES ?=
SECONDS_EACH ?= 20
# How far `make sim`, `make crash-test`, `make loss-test` and `make connection-test` go, and where they start.
RUNS ?=
KILLS ?= 1000
POINT_KILLS ?= 100
CALLS ?= 100000
# For `make bench`.
ROUNDS ?= 5
# How many for each kind of client, for `make client-test`.
REQUESTS ?= 20000
REAL_CALLS ?= 2000
# For `make connection-test`, by TCP and by TLS each.
STREAM_CALLS ?= 20000
# Faults put into what ships are a build of their own: none is in the server that the other tests run. Unoptimised, the runs take ten times as long.
FAULTS = cargo test --locked --package sim --features faults --test every_sabotage_is_found --test kept_faults \
	$(foreach room,sabotage sip dial call switch sim,--config 'profile.dev.package.$(room).opt-level=2')
# Unoptimised, millions of dial strings take six times as long.
DIAL_TEST = cargo test --locked --package onhook --test dial --config 'profile.dev.package.dial.opt-level=2' --config 'profile.dev.package.onhook.opt-level=2'
# How many, for `make dial-strings`.
STRINGS ?= 10000000
SEED ?= 1

.PHONY: help setup check advisories test unit interop interop-baseline crash-test client-test loss-test connection-test demo bench bench-parts sim regions regions-baseline model dial-strings dial-vectors fuzz clean

help: ## List these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-17s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

setup: ## Install what the tests need: Debian, PyPI and npm packages (says what it does)
	@scripts/setup test

check: ## Format, lints, documentation, dependencies, and the rules of the house
	@scripts/setup check
	cargo fmt --all --check
	cargo fmt --manifest-path fuzz/Cargo.toml --check
	cargo clippy --workspace --all-targets --locked -- --deny warnings
	RUSTDOCFLAGS='--deny warnings --allow rustdoc::private_intra_doc_links' cargo doc --workspace --no-deps --document-private-items --locked --quiet
	scripts/tidy
	scripts/deny
	scripts/advisories

advisories: ## Look up whether vulnerabilities are known of the dependencies, and write the date down (wants cargo-deny and GitHub)
	scripts/advisories look-up

test: setup unit regions interop ## Everything that can fail: unit tests, then onhook against other people's programs

unit: ## The Rust tests alone
	@scripts/setup unit
	@if cargo nextest --version >/dev/null 2>&1; \
	then set -x; cargo nextest run --workspace --locked --no-fail-fast && cargo test --workspace --locked --doc --quiet; \
	else set -x; cargo test --workspace --locked --no-fail-fast; fi
	$(FAULTS)

interop: setup ## onhook against SIPp, Kamailio, baresip, EWS clients, curl and Java (CASES='sipp/*' for some)
	cargo test --workspace --locked --no-run --quiet # the same features as `unit`: nothing is built twice
	$(INTEROP) $(if $(CASES),'$(CASES)')

interop-baseline: setup ## Run the interop cases and make what they saw the baseline
	cargo test --workspace --locked --no-run --quiet # the same features as `unit`: nothing is built twice
	$(INTEROP) --bless $(if $(CASES),'$(CASES)')

crash-test: ## kill -9 and restart: count phones off-hook (KILLS=1000 POINT_KILLS=100 SEED=1)
	@scripts/setup build
	cargo build --locked --release --package onhook --package proving --features onhook/crash-points
	@failed=0; for at_once in 1 50; do \
		$(PROVING) crash --at-once $$at_once --kills $(KILLS) --at-each-point $(POINT_KILLS) || failed=1; done; \
	$(PROVING) restart --calls 10000 || failed=1; $(PROVING) restart --calls 10000 --old-records 2000000 || failed=1; exit $$failed

client-test: setup ## Clients that keep connections over a 401: count the requests that are lost (REQUESTS=20000)
	cargo test --workspace --locked --no-run --quiet # the same features as `unit`: nothing is built twice
	REUSE_REQUESTS=$(REQUESTS) cargo test --locked --package onhook --test http_door reuse -- --nocapture
	REUSE_REQUESTS=$(REQUESTS) $(INTEROP) --jobs 2 'curl/*' 'java/*'

loss-test: ## Hang up over a line that loses packets: count phones off-hook (CALLS=100000 REAL_CALLS=2000 SEED=1)
	@scripts/setup build
	cargo build --locked --release --package onhook --package proving
	@failed=0; for loss in 0 20 30 40; do \
		$(PROVING) loss --calls $$(( $(CALLS) / 4 )) --loss $$loss || failed=1; done; \
	$(PROVING) loss --calls $(REAL_CALLS) --at-once 100 --hang-up-within 14000 --t1 500 --delay 20 --loss 30 || failed=1; exit $$failed

connection-test: ## Cut, stall and split connections of trunks by TCP and TLS: count phones off-hook (STREAM_CALLS=20000 SEED=1)
	@scripts/setup build
	cargo build --locked --release --package onhook --package proving
	@failed=0; for tls in '' --tls; do \
		$(PROVING) connections --calls $(STREAM_CALLS) $$tls || failed=1; done; \
	exit $$failed

demo: ## See a call from end to end: EWS client, server and phone, on this machine alone
	@scripts/setup build
	@echo 'demo: building onhook; the first time that takes some minutes, and cargo tells how far it is'
	@cargo build --locked --bin onhook
	@echo 'demo: onhook demo' && $(TARGET)/debug/onhook demo

bench: ## How fast it is, and what a call costs (BASE=commit to compare with, ROUNDS=5 ONLY=crowd,alone,… SHORT=1 for two minutes)
	@scripts/setup bench
	cargo build --locked --release --package onhook --package benches
	@mkdir -p build/bench
	@against=$(if $(BASE),"$$(scripts/bench-base $(BASE))"); \
	$(TARGET)/release/bench --rounds $(ROUNDS) --json build/bench/bench.json --picture build/bench/growth.svg \
		$(if $(SHORT),--short) $(if $(ONLY),--only $(ONLY)) $(if $(BASE),--against "$$against" --against-name $(BASE)) | tee build/bench/table.txt
	@echo 'bench: build/bench has the table, all values (bench.json) and how costs grow (growth.svg)'

bench-parts: ## Measure single functions: reading and writing messages, pacing, sending
	@scripts/setup build
	cargo bench --workspace --locked --bench '*'

sim: ## Calls against lossy networks, odd phones and crashes, on a virtual clock (SEED=1 RUNS=100000)
	@scripts/setup build
	cargo build --locked --quiet -p sim
	cargo build --release --locked --quiet -p sim
	@digest() { $(TARGET)/$$1/sim --seed $(SEED) --runs 100 | sed -n 's/.*; digest //p'; }; \
		[[ $$(digest debug) == "$$(digest release)" ]] || { echo 'sim: a seed is another run in another build'; exit 1; }
	$(TARGET)/release/sim --seed $(SEED) --runs $(or $(RUNS),100000)

regions: ## What of sip, call and switch no run of the simulation reaches: nothing that is not listed in crates/sim/unreached.txt
	@scripts/setup regions
	scripts/regions

regions-baseline: ## Write that list anew
	@scripts/setup regions
	scripts/regions --write

model: ## The hang-up gone through whole, in larger worlds than `make test` does
	@scripts/setup build
	cargo test --release --locked --package model --test promises_hold -- --include-ignored --nocapture

dial-strings: ## The dial policy against a second opinion, in dial strings (STRINGS=10000000 SEED=1)
	@scripts/setup build
	DIAL_STRINGS=$(STRINGS) SEED=$(SEED) $(DIAL_TEST) generated -- --nocapture

dial-vectors: ## Every spelling of every number in docs/dialling at sites that allow everything (COUNTRIES=DE,US)
	@scripts/setup build
	EVERY_SPELLING=1 COUNTRIES=$(COUNTRIES) $(DIAL_TEST) open_sites -- --nocapture

# Without a sanitizer: no code of ours is unsafe, and SQLite, which two targets link, does not start with one.
fuzz: ## Feed junk to every parser that peers reach (SECONDS_EACH=20)
	@scripts/setup fuzz
	@mkdir -p build/fuzz
	cargo fuzz build --sanitizer none --codegen-units 16
	@for target in $$(cargo fuzz list); do \
		echo "fuzz: $$target for $(SECONDS_EACH) s"; mkdir -p fuzz/corpus/$$target; \
		cargo fuzz run --sanitizer none --codegen-units 16 $$target fuzz/corpus/$$target $$(ls -d fuzz/seeds/$$target 2>/dev/null) -- \
			-max_total_time=$(SECONDS_EACH) -max_len=8192 -print_final_stats=1 >build/fuzz/$$target.log 2>&1 \
			|| { grep -m1 -A3 panicked build/fuzz/$$target.log; tail -20 build/fuzz/$$target.log; exit 1; }; \
		sed -n 's/^stat::number_of_executed_units: */      inputs: /p' build/fuzz/$$target.log; \
	done

clean: ## Remove everything that was built or downloaded into this folder
	rm -rf build interop/node/node_modules fuzz/target
	cargo clean
