# The five things one does here. `make test` is what CI runs, and all that it runs.
#
# Checking writes nothing to the tree but target/; `make fix` does what checking asks for.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run test soak bench fix tools

# Tools that the machine lacks are built into target/, not into anyone's home.
TOOLS := $(abspath $(or $(CARGO_TARGET_DIR),target))/tools
DENY_VERSION := 0.20.2
export PATH := $(PATH):$(TOOLS)/bin

# Set, it would have the tests rewrite their transcripts instead of checking them.
unexport UPDATE_GOLDEN

# A server on its default address; more arguments: make run ARGS='--help'
run:
	cargo run --release --locked -- $(ARGS)

# Tests come last, so that their summary is what one reads. Advisories are not asked for: they
# need more of the network than a package registry, and change while the tree does not. Whoever has
# the network runs `cargo deny check advisories`.
test: tools
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	RUSTDOCFLAGS='-D warnings' cargo doc --no-deps --locked
	@if cargo deny --version >/dev/null 2>&1; then \
	  echo 'cargo deny check bans licenses sources'; \
	  cargo deny --locked check --hide-inclusion-graph bans licenses sources; \
	fi
	cargo test --doc --locked
	@if cargo nextest --version >/dev/null 2>&1; then \
	  echo 'cargo nextest run'; \
	  cargo nextest run --locked; \
	else \
	  echo 'cargo test --tests (one binary at a time: there is no cargo-nextest here)'; \
	  cargo test --locked --no-fail-fast --tests; \
	fi

# The same stories for much longer.
soak:
	TICKETD_KILLS=500 cargo test --locked --test it -- --nocapture keeping::kill

bench:
	cargo bench --locked $(ARGS)

fix:
	cargo clippy --fix --allow-dirty --allow-staged --all-targets
	cargo fmt

# A debug build of it takes half as long and checks as well.
tools:
	@cargo deny --version >/dev/null 2>&1 \
	  || { echo 'There is no cargo-deny here; building it into $(TOOLS), once.'; \
	       cargo install --quiet --debug --locked --root $(TOOLS) cargo-deny@$(DENY_VERSION); } \
	  || echo 'Dependencies are NOT checked: do cargo install --locked cargo-deny@$(DENY_VERSION)'
