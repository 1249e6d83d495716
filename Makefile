# Two commands do everything: `make run` and `make test`. Nothing is installed on the system; what is missing is named.

CACHE := $(or $(ROUTING_CACHE),$(or $(XDG_CACHE_HOME),$(HOME)/.cache)/routing)
# Outside of the checkout: a fresh clone finds what an earlier one compiled.
export CARGO_TARGET_DIR ?= $(CACHE)/target
# A link of this checkout's own, so that another checkout's build does not replace what is running here.
BINARY := $(CURDIR)/target/routing
# Cargo takes what another checkout built of these crates for this one's when its files are the older ones, so that is
# thrown away; what they depend on stays.
CRATES := crds brain dataplane operator tests
OWN = mkdir -p $(CARGO_TARGET_DIR); if [ "$$(cat $(CARGO_TARGET_DIR)/checkout 2>/dev/null)" != "$(CURDIR)" ]; then \
	for profile in dev release; do $(CARGO) clean --quiet --profile $$profile $(CRATES:%=--package %); done; \
	echo "$(CURDIR)" > $(CARGO_TARGET_DIR)/checkout; fi
LINK = mkdir -p target; \
	{ ln -f $(CARGO_TARGET_DIR)/debug/$(1) target/$(1) 2>/dev/null || cp -f $(CARGO_TARGET_DIR)/debug/$(1) target/$(1); }
# Of the whole workspace, as the tests build it: else its dependencies would be compiled once more, with other features.
BUILD = $(OWN); $(CARGO) build --workspace --bin routing; $(call LINK,routing)
CARGO := cargo --locked
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.PHONY: help run build test lint fmt generate smoke bench images cluster cluster-down e2e e2e-full apt-line

help: ## this list
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## /{printf "%-12s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## data plane, brain and stand-in models on this machine (ARGS=--with-examples; LITELLM_BASE_URL for real models)
	@tests/setup/tools.sh run
	@$(BUILD)
	@exec $(BINARY) demo $(ARGS)

build:
	@$(BUILD)

# What tests find their programs by; `programs` holds the lines of programs.sh.
TEST_PROGRAMS = export ROUTING_BIN=$(BINARY) ROUTING_OPERATOR_BIN=$(CURDIR)/target/routing-operator; \
	export ROUTING_TEST_VENV=$$(sed -n 1p <<<"$$programs") ROUTING_TEST_CLAUDE=$$(sed -n 2p <<<"$$programs"); \
	export ROUTING_TEST_KUBERNETES=$$(sed -n 3p <<<"$$programs")

test: ## every test that needs no cluster, with real LiteLLM, Python and Claude Code clients, and a real API server
	@tests/setup/tools.sh test
	@programs=$$(tests/setup/programs.sh); \
	began=$$SECONDS; $(OWN); $(CARGO) build --workspace --bins; $(CARGO) test --workspace --no-run; \
	$(call LINK,routing); $(call LINK,routing-operator); \
	echo "compiled in $$((SECONDS - began)) s"; began=$$SECONDS; $(TEST_PROGRAMS); \
	export RUST_TEST_THREADS=$${RUST_TEST_THREADS:-4}; : 'most tests wait for other programs'; \
	$(CARGO) test --workspace -- --show-output; \
	echo "tested in $$((SECONDS - began)) s"

WORKSPACE_VERSION := $(shell sed -n 's/^version = "\(.*\)"$$/\1/p' Cargo.toml | head -n 1)

e2e: ## every test on a cluster: that of `make cluster`, or of E2E_KUBECONFIG (ARGS= a part of a test's name)
	@tests/setup/tools.sh $(if $(E2E_KUBECONFIG),test,e2e)
	@if [ -z "$${E2E_KUBECONFIG:-}" ]; then $(MAKE) --no-print-directory cluster; fi
	@$(MAKE) --no-print-directory images ARGS=
	@programs=$$(tests/setup/programs.sh); \
	if [ -z "$${E2E_KUBECONFIG:-}" ]; then \
		flux=$$(tests/setup/flux.sh); buildkit=$$(tests/setup/buildkit.sh); \
		export ROUTING_TEST_FLUX=$$flux ROUTING_TEST_BUILDKIT=$$buildkit; fi; \
	if [ -n "$${E2E_FULL:-}" ]; then earlier=$$(tests/cluster/earlier.sh); export ROUTING_TEST_EARLIER=$$earlier; fi; \
	began=$$SECONDS; $(OWN); $(CARGO) build --workspace --bins; \
	$(CARGO) test --workspace --features tests/e2e --test e2e --no-run; $(call LINK,routing); \
	echo "compiled in $$((SECONDS - began)) s"; began=$$SECONDS; $(TEST_PROGRAMS); \
	tests/cluster/stand-in.sh $(CARGO_TARGET_DIR)/debug/stand-in-models; tests/cluster/load-all.sh $(WORKSPACE_VERSION); \
	echo "images loaded in $$((SECONDS - began)) s"; began=$$SECONDS; \
	if [ -z "$${E2E_KUBECONFIG:-}" ]; then \
		export E2E_OWN_CLUSTER=1 E2E_KUBECONFIG=$${ROUTING_CLUSTER_DIR:-/var/lib/routing-cluster}/admin.kubeconfig; fi; \
	$(CARGO) test --workspace --features tests/e2e --test e2e -- --test-threads=1 --nocapture $(ARGS); \
	echo "tested on the cluster in $$((SECONDS - began)) s"

e2e-full: ## the same with the long counts; its output is kept in bench/results/e2e_full.txt
	@E2E_FULL=1 $(MAKE) --no-print-directory e2e | tee bench/results/e2e_full.txt.new
	@mv bench/results/e2e_full.txt.new bench/results/e2e_full.txt

lint: ## formatting, clippy, shell scripts, workflows, banned crates
	@tests/setup/tools.sh lint
	@$(OWN)
	cargo fmt --all --check
	$(CARGO) clippy --workspace --all-targets --all-features -- -D warnings
	shellcheck .ci/* $$(git ls-files '*.sh')
	$$(tests/setup/actionlint.sh) .gitea/workflows/*.yml .github/workflows/*.yml
	@tree=$$($(CARGO) tree --workspace --prefix none --edges normal,build,dev); \
	if grep -E '^(aws-lc-rs|aws-lc-sys|openssl|openssl-sys|native-tls) ' <<<"$$tree"; then echo "the one TLS stack is rustls with ring"; exit 1; fi

fmt: ## formats the code
	cargo fmt --all

generate: ## writes crds/routingpolicies.yaml from the types
	@$(OWN)
	$(CARGO) run --quiet --package crds --bin crdgen > crds/routingpolicies.yaml.new
	mv crds/routingpolicies.yaml.new crds/routingpolicies.yaml

smoke: build ## the live check against LITELLM_BASE_URL and BRAIN_URL, or a data plane at ROUTING_URL
	@ROUTING_BIN=$${ROUTING_BIN:-$(BINARY)} tests/smoke.sh $(ARGS)

bench: ## pass rates of a brain with 10 million entries; raw output in bench/results
	@mkdir -p bench/results
	@$(OWN)
	$(CARGO) bench --package brain --bench pass_rate | tee bench/results/pass_rate.txt

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
