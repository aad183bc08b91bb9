# Every target installs what it needs first. Start with `make demo` and `make test`.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# One of these is enough for the browser tests.
BROWSERS := chromium,chromium-browser,google-chrome
# Tests never contact the hub; one BLAS thread per process, so that two test workers do not compete for cores.
TEST_ENV := HF_HUB_OFFLINE=1 OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false

.PHONY: help install demo test test-fast mutants test-slow chaos check format board attack browser bench bench-sandbox bench-board bench-queue bench-references bench-scores screenshots toy-model toy-gates clean

help:  ## show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

install: $(INSTALLED)  ## install the virtual environment, the Python packages and bubblewrap
	@.ci/apt-install bubblewrap=bwrap

# Kernels for processors with a matrix unit, compiled at installation; torch computes where they are missing.
KERNELS := $(wildcard harness/engine/native/*.cpp harness/engine/native/*.h)

$(INSTALLED): pyproject.toml constraints.txt $(KERNELS)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Python 3.11 or newer is needed: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null || .ci/apt-install python3-venv
	@! grep -qsw amx_bf16 /proc/cpuinfo || .ci/apt-install g++ || echo "no compiler: the engine will compute with torch alone"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install  ## run the toy round end to end: manual, BBTv2 and an example over five tasks
	$(BIN)/gradfree demo

board: install  ## serve the demo's leaderboard at http://127.0.0.1:8501
	$(BIN)/gradfree board --home .gradfree/demo

test: install  ## run the whole suite, browser included (15 to 40 minutes on 2 cores, by processor)
	@.ci/apt-install chromium=$(BROWSERS)
	$(TEST_ENV) $(BIN)/pytest -n 2 --dist loadfile -m 'not slow'

test-fast: install  ## run units, contracts and properties at a reduced count: the inner loop
	$(TEST_ENV) GRADFREE_FAST_TESTS=1 $(BIN)/pytest -q -n 2 --dist loadfile -m 'not slow' tests/unit tests/property tests/contract/store tests/docs

mutants: install  ## put ten faults in by hand, one at a time: the suite must find each
	$(TEST_ENV) $(BIN)/python tests/bench/mutants.py

test-slow: install  ## run the tests that take minutes each: rebuilds, real language
	$(TEST_ENV) $(BIN)/pytest -m slow

chaos: install  ## run a scripted round under `kill -9` for ten minutes
	$(TEST_ENV) $(BIN)/pytest -q -s -m slow tests/integration/arena/test_chaos.py

check: install  ## run ruff, mypy strict, import-linter and the docs tests
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports --no-cache
	$(BIN)/pytest -q tests/docs

format: install  ## reformat the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

attack: install  ## run hostile solvers against the sandbox, each with a positive control; needs a working sandbox
	$(BIN)/gradfree doctor
	$(TEST_ENV) $(BIN)/pytest -q --tb=short tests/attack

browser: install  ## test the leaderboard in a real Chromium
	@.ci/apt-install chromium=$(BROWSERS)
	$(TEST_ENV) $(BIN)/pytest -q -m browser

bench: install  ## measure the forward engine's speed as a ratio to plain transformers
	$(BIN)/gradfree bench

bench-sandbox: install  ## measure the start of a sandboxed solver, compared with plain numpy
	$(BIN)/python tests/bench/bench_sandbox.py

bench-board: install  ## measure the board's speed over 10,000 submissions and 250,000 runs
	@.ci/apt-install chromium=$(BROWSERS)
	PYTHONPATH=tests/support $(BIN)/python tests/bench/bench_board.py

screenshots: install  ## take pictures of every page (light, dark, phone) and the two in the README
	@.ci/apt-install chromium=$(BROWSERS)
	PYTHONPATH=tests/support $(BIN)/python tests/browser/screenshots.py build/screenshots --readme leaderboard/assets

bench-queue: install  ## measure claim, heartbeat and finish with 10,000 submissions waiting
	$(BIN)/python tests/bench/bench_queue.py

bench-references: install  ## measure time and peak memory of the gradient references on the RoBERTa-large shape
	$(BIN)/python tests/bench/bench_references.py

bench-scores: install  ## compare whole runs of BBTv2 in bf16 and fp32, on the minilm round's SST-2
	$(BIN)/python tests/bench/bench_scores.py

toy-model: install  ## rebuild the embedded model's weights from a seed (about 10 minutes)
	PYTHONPATH=tests/support $(BIN)/python tests/support/build_toy_model.py

toy-gates: install  ## measure what the embedded model has learned, and the scores of baselines on it
	$(BIN)/python tests/bench/toy_gates.py

clean:  ## remove the virtual environment and caches; arenas are kept
	rm -rf $(VENV) .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache build dist *.egg-info harness/engine/native/*.so
