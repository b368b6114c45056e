# Every target sets up what it needs; set-up is quick when nothing changed.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.set-up

.PHONY: setup demo test test-kill test-cluster lint bench bench-peers train-demo-model clean

setup: $(STAMP)

$(STAMP): pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "callcenter needs Python 3.11 or later; set PYTHON=/path/to/python3.11" >&2; exit 2; }
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: setup
	$(BIN)/callcenter demo

# These measure sound, rings and waits in real time and have the machine to themselves; all others run in three
# processes that mostly wait, each with a database server of its own.
ALONE := $(addprefix tests/,integration/simulator/test_gateway.py integration/web/test_live_state.py \
	integration/call/test_monitor.py integration/acd/test_waits.py acceptance/test_asterisk_gateway.py \
	acceptance/test_streamdouble.py acceptance/test_transcribe.py)

test: setup
	@.ci/browser
	PYTHONHASHSEED=0 $(BIN)/python -m pytest --numprocesses 3 --dist loadfile $(addprefix --ignore=,$(ALONE))
	$(BIN)/python -m pytest $(ALONE)

# Workers of callbacks are killed a thousand times; the tests above do so, too, but not as often.
KILLS ?= 1000

test-kill: setup
	CALLBACK_KILLS=$(KILLS) $(BIN)/python -m pytest tests/integration/callback/test_kill.py -s

# Tests of recognition by replicas in a Ray cluster, which is an extra with a virtual environment of its own.
CLUSTER_VENV := .venv-cluster

test-cluster: $(CLUSTER_VENV)/.set-up
	$(CLUSTER_VENV)/bin/python -m pytest tests/cluster

$(CLUSTER_VENV)/.set-up: pyproject.toml constraints.txt constraints-cluster.txt
	@test -x $(CLUSTER_VENV)/bin/python || $(PYTHON) -m venv $(CLUSTER_VENV)
	$(CLUSTER_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint constraints-cluster.txt --editable '.[cluster]' psutil pytest pytest-asyncio
	@touch $@

lint: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

bench: setup bench-peers
	$(BIN)/python benchmarks/run_all.py

# Programs that benchmarks measure beside this one: 1.4 GB where torch comes as its CPU build.
PEERS_VENV := .venv-benchmarks

bench-peers: $(PEERS_VENV)/.set-up

$(PEERS_VENV)/.set-up: benchmarks/requirements.txt constraints.txt
	@test -x $(PEERS_VENV)/bin/python || $(PYTHON) -m venv $(PEERS_VENV)
	$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --requirement benchmarks/requirements.txt
	$(PEERS_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps whisper-live==0.10.0
	@touch $@

# Makes the bundled speech model anew in var/training; TRAINING=--quick proves in minutes that it can.
TRAINING ?=
TRAINING_VENV := .venv-training

train-demo-model: $(TRAINING_VENV)/.set-up
	$(TRAINING_VENV)/bin/python -m training all $(TRAINING)

$(TRAINING_VENV)/.set-up: pyproject.toml constraints.txt training/constraints.txt
	@test -x $(TRAINING_VENV)/bin/python || $(PYTHON) -m venv $(TRAINING_VENV)
	$(TRAINING_VENV)/bin/python -m pip install --quiet --disable-pip-version-check --constraint training/constraints.txt --editable '.[training]'
	@touch $@

clean:
	rm -rf $(VENV) $(TRAINING_VENV) $(PEERS_VENV) $(CLUSTER_VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
