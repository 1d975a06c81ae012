# Every target sets up what it needs. PYTHON may name another interpreter (CPython 3.10 or newer).
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
export VIRTUAL_ENV := $(CURDIR)/$(VENV)
export PATH := $(CURDIR)/$(BIN):$(PATH)

RUST_SOURCES := $(shell find rust -name '*.rs' -o -name 'Cargo.toml') Cargo.toml Cargo.lock

.PHONY: help setup test test-rust test-python test-benchmarks integration lint docs format bench curves wheel wheels sdist check-dist \
	deny demo clean

help:
	@echo "make demo         show the whole loop on the embedded cloud"
	@echo "make test         run the tests (Rust and Python)"
	@echo "make test-benchmarks  deploy and run the benchmark workflows on the embedded cloud (downloads what they require)"
	@echo "make integration  run the closed loop with assertions on its outcome"
	@echo "make lint         formatters, linters, type checkers, import contracts"
	@echo "make docs         build the documentation into .docs/"
	@echo "make bench        run the benchmarks, and compare with the run before"
	@echo "make curves       measure and draw how the solver's cost grows (benchmarks/solver)"
	@echo "make wheel        build the abi3 wheel for this machine into dist/"
	@echo "make wheels       build the abi3 wheels for Lambda (x86_64 and arm64) into dist/"
	@echo "make sdist        build the source distribution into dist/"
	@echo "make check-dist   check what is in dist/: metadata, stable ABI, and that the sources build"
	@echo "make deny         check licences and sources of the engine's dependencies (cargo-deny)"
	@echo "make format       format the sources"
	@echo "make clean        delete what was built (not the virtual environment)"

$(VENV)/.installed: requirements/dev.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 10) and "CPython 3.10 or newer is needed: make PYTHON=python3.12 ...")'
	@cargo --version > /dev/null 2>&1 || { echo "A Rust toolchain is needed (1.85 or newer, from rustup)."; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement requirements/dev.txt
	touch $@

$(VENV)/.built: $(VENV)/.installed pyproject.toml $(RUST_SOURCES)
	MATURIN_PEP517_ARGS=--locked $(BIN)/python -m pip install --quiet --disable-pip-version-check \
		--no-build-isolation --no-deps --editable .
	touch $@

setup: $(VENV)/.built

test: test-rust test-python

test-rust:
	cargo test --workspace --exclude mxs-python --release --locked --quiet

# As many tests at once as there are processors, and not so many that waiting for each other takes longer.
PARALLEL := --numprocesses auto --maxprocesses 4 --dist worksteal

test-python: setup
	$(BIN)/pytest $(PARALLEL)

$(VENV)/.benchmarks: $(VENV)/.built benchmarks/tests/requirements.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/tests/requirements.txt
	touch $@

test-benchmarks: $(VENV)/.benchmarks
	$(BIN)/pytest benchmarks/tests

integration: setup
	$(BIN)/python integration_tests/run_integration_tests.py $(PARALLEL)

lint: setup
	cargo fmt --all --check
	cargo clippy --workspace --all-targets --release --locked --quiet -- --deny warnings
	RUSTDOCFLAGS="--deny warnings" cargo doc --workspace --no-deps --release --locked --quiet
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/python -m mypy.stubtest multi_x_serverless._core
	$(BIN)/lint-imports

# The pages of docs/ as a site, with the reference that is made of docstrings and --help. A link or a name that leads nowhere
# is an error. In an environment of its own, because it needs the package's dependencies but none of the development tools.
DOCS_VENV := .venv-docs

$(DOCS_VENV)/.installed: requirements/docs.txt
	$(PYTHON) -m venv --clear $(DOCS_VENV)
	$(DOCS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/docs.txt
	touch $@

docs: $(DOCS_VENV)/.installed
	PYTHONPATH=python $(DOCS_VENV)/bin/python -m sphinx --builder html --nitpicky --fail-on-warning --keep-going --quiet \
		--doctree-dir .docs/.doctrees docs .docs

format: setup
	cargo fmt --all
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: setup
	cargo bench --workspace --exclude mxs-python --locked
	$(BIN)/pytest --override-ini addopts= benchmarks/microbenchmarks --benchmark-only --benchmark-autosave --benchmark-quiet \
		$(BENCHMARK_OPTIONS)
	$(BIN)/python -m benchmarks.microbenchmarks.compare

curves: setup
	$(BIN)/python -m benchmarks.solver.growth --output .curves

# Another target than this machine's: MATURIN_TARGET="--target ..."
wheel: $(VENV)/.installed
	$(BIN)/maturin build --release --locked --out dist $(MATURIN_TARGET)

sdist: $(VENV)/.installed
	$(BIN)/maturin sdist --out dist

# Metadata and description, the stable ABI, and that a source distribution builds a package that starts. In an
# environment of its own, because these tools need newer versions of what others pin.
check-dist:
	$(PYTHON) -m venv --clear .venv-release
	.venv-release/bin/python -m pip install --quiet --disable-pip-version-check --requirement requirements/release.txt
	.venv-release/bin/twine check --strict dist/*
	.venv-release/bin/abi3audit --strict --summary dist/*.whl
	$(PYTHON) -m venv --clear .venv-release/from-source
	.venv-release/from-source/bin/python -m pip install --quiet --disable-pip-version-check dist/*.tar.gz
	.venv-release/from-source/bin/multi_x_serverless version

# Licences, sources and duplicates of the engine's dependencies (deny.toml); advisories need a network: `cargo deny check`.
deny:
	cargo deny --offline check bans licenses sources

# For old C libraries and for the other processor Zig links; its compiler comes as a Python package.
ZIG := ziglang==0.17.1
LAMBDA_TARGETS := x86_64-unknown-linux-gnu aarch64-unknown-linux-gnu

wheels: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "$(ZIG)"
	rustup target add $(LAMBDA_TARGETS)
	for target in $(LAMBDA_TARGETS); do \
		$(BIN)/maturin build --release --locked --zig --compatibility manylinux_2_17 --target $$target --out dist \
			|| exit 1; \
	done

demo: setup
	$(BIN)/multi_x_serverless demo --directory .demo

clean:
	rm -rf target dist .demo .curves .docs .pytest_cache .mypy_cache .ruff_cache .hypothesis .venv-release .venv-docs $(VENV)/.built
