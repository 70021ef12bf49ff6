# Everything runs in one .venv that uv makes from pinned requirements; only python3 and make are needed.
UV := $(shell command -v uv 2>/dev/null || echo .uv/bin/uv)
PYTHON := .venv/bin/python
export OMP_NUM_THREADS ?= 2
# Each of the many processes of the tests would compile every module anew: 25 s of importing in place of 12.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test test-slow faults check bench setup requirements clean

demo: setup          ## synthesise drums, train CRePE to measure them, evaluate, report
	.venv/bin/tympan train configs/drum_diameter.yaml

test: setup          ## everything that is quick, two processes
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder

test-slow: setup     ## what takes long
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n 2 --dist loadfile --no-loadscope-reorder -m slow

faults: setup        ## everything that is broken on purpose, in full
	OMP_NUM_THREADS=1 $(PYTHON) -m pytest -q -n 2 --dist loadfile tests/faults -m "slow or not slow"

check: setup         ## ruff and pyright
	.venv/bin/ruff check .
	.venv/bin/ruff format --check .
	.venv/bin/pyright

bench: setup         ## ratios against the named peers, in one run
	$(UV) pip install -q --python $(PYTHON) --no-deps -r benchmarks/requirements.txt
	OMP_NUM_THREADS=1 $(PYTHON) benchmarks/run.py

setup: .venv/.installed

.venv/.installed: requirements.txt pyproject.toml | $(UV)
	test -x $(PYTHON) || $(UV) venv -q .venv
	$(UV) pip install -q --python $(PYTHON) -r requirements.txt
	$(UV) pip install -q --python $(PYTHON) --no-deps -e .
	touch $@

.uv/bin/uv:
	python3 -m pip install -q --target .uv uv

requirements:        ## pin anew what pyproject.toml asks for
	$(UV) pip compile -q --universal --no-header --no-annotate --python-version 3.11 pyproject.toml --all-extras --group dev -o requirements.txt

clean:
	rm -rf .venv .uv runs
