# Two commands do everything: `make run` and `make test`. Nothing is installed on the system; what is missing is named.

# The same rule as in tests/setup/once.sh, and not asked of it: before 4.4 make hands what its command line sets to
# recipes, but not to $(shell).
CACHE := $(or $(ROUTING_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/routing)
# Outside of the checkout: a fresh clone finds what an earlier one compiled.
export CARGO_TARGET_DIR ?= $(CACHE)/target
# A link of this checkout's own, so that another checkout's build does not replace what is running here.
BINARY := $(CURDIR)/target/routing
# Of the whole workspace, as the tests build it: else its dependencies would be compiled once more, with other features.
BUILD = tests/setup/own.sh; $(CARGO) build --workspace --bin routing; tests/setup/link.sh routing
CARGO := cargo --locked
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build test conformance screenshots lint fmt generate smoke bench bench-calls profile bench-operator bench-tracing soak campaign fuzz images cluster cluster-down e2e e2e-full faults apt-line

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## data plane, brain and stand-in models on this machine (ARGS=--with-examples; MODEL=smollm2 or LITELLM_BASE_URL for real models)
	@tests/setup/tools.sh $(if $(MODEL),run-model,run)
	@case "$(MODEL)" in ''|smollm2) ;; *) echo "MODEL=$(MODEL): is not known; the one that make can fetch is smollm2; for others set LITELLM_BASE_URL or ROUTING_LOCAL_BASE_URL"; exit 2 ;; esac
	@$(BUILD)
	@$(if $(MODEL),model=$$(tests/setup/model.sh);) exec $(if $(MODEL),"$$model" tests/model/serve.py) $(BINARY) demo $(ARGS)

build: ## the program, linked to target/routing
	@tests/setup/tools.sh run
	@$(BUILD)

test: ## every test that needs no cluster, with real LiteLLM, MCP clients, Claude Code, conformance suites, and a real API server
	@tests/setup/tools.sh test
	@programs=$$(tests/setup/programs.sh); \
	began=$$SECONDS; tests/setup/own.sh; $(CARGO) build --workspace --bins --tests; \
	tests/setup/link.sh routing routing-operator; \
	echo "compiled in $$((SECONDS - began)) s"; began=$$SECONDS; eval "$$programs"; \
	export ROUTING_BIN=$(BINARY) ROUTING_OPERATOR_BIN=$(CURDIR)/target/routing-operator; \
	export RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4}; : 'most tests wait for other programs'; \
	$(CARGO) test --workspace -- --show-output; \
	echo "tested in $$((SECONDS - began)) s"

conformance: build ## this version's report in docs/conformance, by the public suites of MCP, and the table of docs/clients.md; the same tests check them
	@tests/setup/tools.sh test
	@programs=$$(tests/setup/programs.sh); eval "$$programs"; \
	ROUTING_WRITE_PAGES=1 ROUTING_BIN=$(BINARY) $(CARGO) test --workspace --test conformance --test real_clients -- page

screenshots: build ## the pictures of the brain's page in docs/images, by the tests that check it
	@tests/setup/tools.sh test
	@axe=$$(tests/setup/axe.sh); ROUTING_SCREENSHOTS=1 ROUTING_TEST_AXE=$$axe ROUTING_BIN=$(BINARY) $(CARGO) test --workspace --test page

e2e: ## every test on a cluster: that of `make cluster`, or of E2E_KUBECONFIG (ARGS= a part of a test's name)
	@tests/cluster/e2e.sh $(ARGS)

e2e-full: ## the same with the long counts; its output is kept in bench/results/e2e_full.txt
	@E2E_FULL=1 $(MAKE) --no-print-directory e2e | tee bench/results/e2e_full.txt.new
	@mv bench/results/e2e_full.txt.new bench/results/e2e_full.txt

# The tests that print how many calls they made of a case, and how long these took.
FAULTS := bad_input brain_faults connections thousands under_load upstream_faults

faults: ## the faults of tests/faults.toml with a thousand calls of every case, also where `make test` makes fewer; an hour at most; raw output in bench/results/faults.txt
	@mkdir -p bench/results
	@tests/setup/tools.sh test
	@programs=$$(tests/setup/programs.sh); tests/setup/own.sh; $(CARGO) build --workspace --bins --tests; \
	tests/setup/link.sh routing routing-operator; eval "$$programs"; \
	export FAULTS_FULL=1 ROUTING_BIN=$(BINARY) RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4}; \
	timeout --foreground 1h $(CARGO) test --workspace --no-fail-fast $(addprefix --test ,$(FAULTS)) -- --show-output | tee $(call MEASURED,faults).new; \
	mv $(call MEASURED,faults).new $(call MEASURED,faults)
	@tests/setup/bench-table.sh

lint: ## formatting, clippy, shell scripts, the plugin, workflows, banned crates
	@tests/setup/tools.sh lint
	@tests/setup/own.sh
	cargo fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	shellcheck .ci/* $$(git ls-files '*.sh') plugin/scripts/connect plugin/scripts/hook
	tests/setup/validate-plugin.sh
	$$(tests/setup/actionlint.sh) .gitea/workflows/*.yml .github/workflows/*.yml docs/ci/*.yml
	@tree=$$($(CARGO) tree --workspace --prefix none --edges normal,build,dev); \
	if grep -E '^(aws-lc-rs|aws-lc-sys|openssl|openssl-sys|native-tls) ' <<<"$$tree"; then echo "the one TLS stack is rustls with ring"; exit 1; fi; \
	targets=$$(basename --multiple --suffix=.rs */tests/* */benches/* | paste --serial --delimiters='|'); \
	if grep -E "^($$targets) " <<<"$$tree" | grep --invert-match ' (/'; then \
		echo "a test or benchmark is called as a crate, which tests/setup/own.sh would remove with it: rename it"; exit 1; fi
	@features() { $(CARGO) tree --workspace --prefix none --format '{p} {f}' --edges "$$1" | sed 's/ (\*)$$//' | sort --unique; }; \
	if comm -23 <(features normal,build) <(features normal,build,dev) | grep .; then \
		echo "the tests need these crates with more features, and they are compiled twice: name the features in tests/Cargo.toml, too"; exit 1; fi

fmt: ## formats the code
	cargo fmt --all

generate: ## writes crds/routingpolicies.yaml from the types
	@tests/setup/own.sh
	$(CARGO) run --quiet --package crds --bin crdgen > crds/routingpolicies.yaml.new
	mv crds/routingpolicies.yaml.new crds/routingpolicies.yaml

smoke: build ## the live check against LITELLM_BASE_URL and BRAIN_URL, or a data plane at ROUTING_URL
	@ROUTING_BIN=$${ROUTING_BIN:-$(BINARY)} tests/smoke.sh $(ARGS)

# Kept only when a run is complete.
MEASURED = $(CURDIR)/bench/results/$(1).txt
LOADED = ulimit -n "$$(ulimit -Hn)"; export ROUTING_BIN=$$CARGO_TARGET_DIR/release/routing; tests/setup/own.sh; \
	$(CARGO) build --release --package dataplane --bin routing

bench-calls: ## what a call costs: latency, processor time, memory, start; fail-over; beside LiteLLM; 80 minutes; ROUNDS=1 CELL_SECONDS=10 PARTS=latency is shorter
	@mkdir -p bench/results
	@tests/setup/tools.sh test
	@programs=$$(tests/setup/programs.sh); eval "$$programs"; $(LOADED); \
	$(CARGO) bench --package dataplane --bench micro | tee $(call MEASURED,micro).new; \
	$(CARGO) bench --package tests --bench calls | tee $(call MEASURED,calls).new; \
	$(CARGO) bench --package tests --bench failover | tee $(call MEASURED,failover).new; \
	for one in micro calls failover; do mv bench/results/$$one.txt.new bench/results/$$one.txt; done
	@tests/setup/bench-table.sh

profile: ## where the processor time of a call goes, by part of the program and by function, and the largest costs; CELL_SECONDS=30; raw output in bench/results/profile.txt
	@mkdir -p bench/results
	@tests/setup/tools.sh run
	@ulimit -n "$$(ulimit -Hn)"; tests/setup/own.sh; \
	CARGO_TARGET_DIR=$(CACHE)/profile CARGO_PROFILE_RELEASE_STRIP=none RUSTFLAGS="-C force-frame-pointers=yes" \
		$(CARGO) build --release --package dataplane --bin routing; \
	export ROUTING_BIN=$(CACHE)/profile/release/routing PARTS=profile CELL_SECONDS=$${CELL_SECONDS:-30}; \
	$(CARGO) bench --package tests --bench calls | tee $(call MEASURED,profile).new; mv $(call MEASURED,profile).new $(call MEASURED,profile)
	@tests/setup/bench-table.sh

soak: ## a data plane under load with faults, and a brain that is killed; MINUTES=30 PER_SECOND=200 KILL_EVERY=5; SEED= repeats the faults of a run; raw output in bench/results/soak.txt
	@mkdir -p bench/results
	@tests/setup/tools.sh test
	@$(LOADED); $(CARGO) bench --package tests --bench soak | tee $(call MEASURED,soak).new; mv $(call MEASURED,soak).new $(call MEASURED,soak)
	@tests/setup/bench-table.sh

bench-operator: ## the operator with 1,000 policies: time to settle, memory, requests at rest, a change's latency, fairness; POLICIES=200 is shorter; raw output in bench/results/operator.txt
	@mkdir -p bench/results
	@tests/setup/tools.sh test
	@kubernetes=$$(tests/setup/kubernetes.sh); tests/setup/own.sh; $(CARGO) build --release --package operator --bin routing-operator; \
	export ROUTING_TEST_KUBERNETES=$$kubernetes ROUTING_OPERATOR_BIN=$$CARGO_TARGET_DIR/release/routing-operator; \
	$(CARGO) bench --package tests --bench operator | tee $(call MEASURED,operator).new; mv $(call MEASURED,operator).new $(call MEASURED,operator)
	@tests/setup/bench-table.sh

campaign: ## the operator when things go wrong: every scenario with every perturbation, a crash around each write, each fault of each request; hours; PLANS=100 or PARTS=table is shorter; SEEDS=17,100..160 runs these; AT_ONCE=6; raw output of a full run in bench/results/campaign.txt
	@mkdir -p bench/results
	@tests/setup/tools.sh test
	@kubernetes=$$(tests/setup/kubernetes.sh); tests/setup/own.sh; \
	$(CARGO) build --workspace --bin routing-operator; tests/setup/link.sh routing-operator; \
	export ROUTING_TEST_KUBERNETES=$$kubernetes ROUTING_OPERATOR_BIN=$(CURDIR)/target/routing-operator; \
	export SEEDS='$(SEEDS)' CAMPAIGN_PLANS='$(PLANS)' CAMPAIGN_PARTS='$(or $(PARTS),$(if $(PLANS),table,all))'; \
	export CAMPAIGN_EVERYWHERE='$(EVERYWHERE)' CAMPAIGN_AT_ONCE='$(AT_ONCE)'; \
	export CAMPAIGN_RESULTS='$(if $(SEEDS)$(PLANS)$(PARTS),,$(call MEASURED,campaign))'; \
	$(CARGO) test --workspace --test campaign -- --nocapture whatever_goes_wrong
	@tests/setup/bench-table.sh

bench: bench-calls ## that, and the brain: pass rates with 10 million entries, durable writes, a report on a million decisions, a copy of a million entries; REPLAY=DIR: also recorded answers, routed; raw output in bench/results
	@mkdir -p bench/results
	@tests/setup/own.sh
	$(CARGO) bench --package brain --bench pass_rate | tee bench/results/pass_rate.txt
	$(CARGO) bench --package brain --bench writes | tee bench/results/writes.txt
	$(CARGO) bench --package brain --bench report | tee bench/results/report.txt
	$(CARGO) bench --package brain --bench copy | tee bench/results/copy.txt
	@if [ -z "$(REPLAY)" ]; then echo "replay: skipped; REPLAY=DIR names a folder of recorded answers: docs/evidence.md#again says how to get it"; exit; fi; \
	folder=$$(cd "$(REPLAY)" && pwd); REPLAY=$$folder $(CARGO) bench --package dataplane --bench replay | tee bench/results/replay.txt.new; \
	mv bench/results/replay.txt.new bench/results/replay.txt

bench-tracing: ## what OpenTelemetry costs at 1,000 calls/s, as a ratio; raw output in bench/results/tracing.txt
	@mkdir -p bench/results
	@tests/setup/tools.sh test
	@tests/setup/own.sh
	$(CARGO) build --release --package dataplane --bin routing
	@export ROUTING_BIN=$$CARGO_TARGET_DIR/release/routing ROUTING_TEST_COLLECTOR=$$(tests/setup/collector.sh); \
	$(CARGO) bench --package tests --bench cost_of_tracing | tee bench/results/tracing.txt

fuzz: build ## new inputs for everything that reads what comes from outside, SECONDS (30) for each target, or those in ARGS; the table goes to bench/results/fuzz.txt
	@mkdir -p bench/results
	@tests/setup/tools.sh fuzz
	@ROUTING_BIN=$(BINARY) fuzz/run.sh $(or $(SECONDS),30) $(ARGS) | tee bench/results/fuzz.txt

images: ## the container images, by BuildKit as root, or by docker (IMAGE_BUILDER=docker); ARGS=NAME builds one
	@tests/setup/tools.sh images
	@tests/cluster/images.sh $(ARGS)

cluster: ## a one-node Kubernetes on this Linux machine, as root; state in /var/lib/routing-cluster or ROUTING_CLUSTER_DIR
	@tests/setup/tools.sh cluster
	@tests/cluster/up.sh

cluster-down: ## stops that cluster and removes every trace of it
	@tests/cluster/down.sh

apt-line: ## the one line that installs the system packages that are missing
	@tests/setup/tools.sh apt-line
