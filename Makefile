# The five things one does here. `make test` is what CI runs, and all that it runs.
#
# Checking writes nothing to the tree but target/ and client-js/node_modules/; `make fix` does what
# checking asks for.

SHELL := /bin/bash
.DELETE_ON_ERROR:
.PHONY: run test soak bench fix tools

TARGET := $(abspath $(or $(CARGO_TARGET_DIR),target))

# Tools that the machine lacks are built into target/, not into anyone's home. (All but Chromium,
# which is no tool that one builds.)
TOOLS := $(TARGET)/tools
DENY_VERSION := 0.20.2
NODE_VERSION := 20.19
export PATH := $(PATH):$(TOOLS)/bin

# Set, it would have the tests rewrite their transcripts instead of checking them.
unexport UPDATE_GOLDEN

# What a client in Rust is built with: neither a web server nor a database.
AS_CLIENT := --locked --no-default-features --features client

# What the helper for JavaScript is tested with: the server as it was built, and a browser.
export TICKETD_BIN := $(TARGET)/debug/ticketd
FIND_CHROMIUM := client-js/test/browser/chromium.mjs
# npm writes it last, so it is as old as what was installed.
MODULES := client-js/node_modules/.package-lock.json
# A file that hangs is ended after 5 min, instead of holding CI until CI gives up.
NODE_TEST := node --test --test-reporter=spec --test-timeout=300000

# A server on its default address; more arguments: make run ARGS='--help'
run:
	cargo run --release --locked -- $(ARGS)

# Tests come last, so that their summary is what one reads. Advisories are not asked for: they
# need more of the network than a package registry, and change while the tree does not. Whoever has
# the network runs `cargo deny check advisories`.
test: tools $(MODULES)
	cargo fmt --check
	cargo clippy --all-targets --locked -- -D warnings
	cargo clippy $(AS_CLIENT) -- -D warnings
	@! cargo tree $(AS_CLIENT) --edges normal --prefix none | grep -E '^(axum|hyper|rusqlite) ' \
	  || { echo 'A client has no use for these.'; exit 1; }
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
	cargo build --locked
	tests/packaging/check
	cd client-js && node_modules/.bin/tsc -p .
	cd client-js && $(NODE_TEST) test/*.test.mjs
	@if command -v python3 >/dev/null; then \
	  echo tests/schemathesis/run; \
	  tests/schemathesis/run; \
	else \
	  echo 'The description is NOT tested with schemathesis: there is no Python 3 here.'; \
	fi
	@if node $(FIND_CHROMIUM) >/dev/null; then \
	  echo 'cd client-js && $(NODE_TEST) test/browser/*.browser.mjs'; \
	  cd client-js && $(NODE_TEST) test/browser/*.browser.mjs; \
	else \
	  node $(FIND_CHROMIUM) || echo 'The helper is NOT tested in a browser.'; \
	fi

# The same stories for much longer.
soak:
	TICKETD_KILLS=500 cargo test --locked --test it -- --nocapture keeping::kill
	TICKETD_MISSION=100000 cargo test --locked --test it -- --nocapture keeping::mission
	cargo build --locked
	tests/packaging/check install
	tests/packaging/check --long

bench:
	cargo bench --locked $(ARGS)

fix:
	cargo clippy --fix --allow-dirty --allow-staged --all-targets
	cargo fmt

$(MODULES): client-js/package-lock.json | tools
	npm ci --prefix client-js --no-audit --no-fund --loglevel=error

# Without Node nothing of the helper can be checked, so that is an error. Chromium is installed where
# one may; that fails loudly, too. Where one may not, one line says so now, and another at the end.
# (A debug build of cargo-deny takes half as long and checks as well.)
tools:
	@node -e 'const [a, b] = process.versions.node.split("."); process.exit(+(a * 100 + +b < $(subst .,,$(NODE_VERSION))))' \
	  2>/dev/null || { echo 'The helper in client-js needs Node >= $(NODE_VERSION) to be tested: install it.'; exit 1; }
	@node $(FIND_CHROMIUM) install || [ $$? = 2 ]
	@tests/packaging/check install
	@cargo deny --version >/dev/null 2>&1 \
	  || { echo 'There is no cargo-deny here; building it into $(TOOLS), once.'; \
	       cargo install --quiet --debug --locked --root $(TOOLS) cargo-deny@$(DENY_VERSION); } \
	  || echo 'Dependencies are NOT checked: do cargo install --locked cargo-deny@$(DENY_VERSION)'
