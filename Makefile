# Two commands do everything: `make run` and `make test`. Nothing is installed on the system; what is missing is named.

CACHE := $(or $(ROUTING_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/routing)
# Outside of the checkout: a fresh clone finds what an earlier one compiled.
export CARGO_TARGET_DIR ?= $(CACHE)/target
BINARY := $(CARGO_TARGET_DIR)/debug/routing
CARGO := cargo --locked
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build test lint fmt generate smoke bench apt-line

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "%-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## data plane, brain and stand-in models on this machine (ARGS=--with-examples; LITELLM_BASE_URL for real models)
	@tests/setup/tools.sh run
	@$(CARGO) build --package dataplane --bin routing
	@exec $(BINARY) demo $(ARGS)

build:
	@$(CARGO) build --package dataplane --bin routing

test: ## every test, with real LiteLLM, Python and Claude Code clients
	@tests/setup/tools.sh test
	@clients=$$(tests/setup/clients.sh); \
	began=$$SECONDS; $(CARGO) build --package dataplane --bin routing; $(CARGO) test --workspace --no-run; \
	echo "compiled in $$((SECONDS - began)) s"; began=$$SECONDS; \
	ROUTING_BIN=$(BINARY) ROUTING_TEST_VENV=$$(sed -n 1p <<<"$$clients") ROUTING_TEST_CLAUDE=$$(sed -n 2p <<<"$$clients") \
		$(CARGO) test --workspace; \
	echo "tested in $$((SECONDS - began)) s"

lint: ## formatting, clippy, shell scripts, banned crates
	@tests/setup/tools.sh lint
	cargo fmt --all --check
	$(CARGO) clippy --workspace --all-targets -- -D warnings
	shellcheck .ci/run $$(git ls-files '*.sh')
	@! $(CARGO) tree --workspace --invert aws-lc-rs >/dev/null 2>&1 || { echo "aws-lc-rs is in the dependency tree; the TLS stack is rustls with ring"; exit 1; }

fmt: ## formats the code
	cargo fmt --all

generate: ## writes crds/routingpolicies.yaml from the types
	$(CARGO) run --quiet --package crds --bin crdgen > crds/routingpolicies.yaml.new
	mv crds/routingpolicies.yaml.new crds/routingpolicies.yaml

smoke: build ## the live check against LITELLM_BASE_URL and BRAIN_URL, or a data plane at ROUTING_URL
	@ROUTING_BIN=$${ROUTING_BIN:-$(BINARY)} tests/smoke.sh $(ARGS)

bench: ## pass rates of a brain with 10 million entries; raw output in bench/results
	@mkdir -p bench/results
	$(CARGO) bench --package brain --bench pass_rate | tee bench/results/pass_rate.txt

apt-line: ## the one line that installs the system packages
	@tests/setup/tools.sh apt-line
