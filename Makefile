# Each goal makes its own virtual environment and does the whole job. PYTHON is any Python from 3.11 on.
PYTHON ?= python3

.PHONY: demo study test test-slow speed lint clean

demo: .venv/installed ## A real leaderboard in minutes: no GPU, no download
	.venv/bin/equipoise run --config examples/demo.yaml

study: .venv/installed ## The same arms on all embedded benchmarks, three seeds
	.venv/bin/equipoise run --config examples/three_seeds.yaml

test: .venv-test/installed lint ## Style, types and the test suite
	OMP_NUM_THREADS=1 .venv-test/bin/python -m pytest -q

lint: .venv-test/installed
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy

test-slow: .venv-test/installed ## Tests that take minutes
	.venv-test/bin/python -m pytest -q -m slow

speed: .venv-test/installed ## Measurements, as ratios of two things in one run
	.venv-test/bin/python -m pytest -q -s -m speed

.venv/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet -c constraints.txt -e .
	touch $@

.venv-test/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/pip install --quiet -c constraints.txt -e ".[dev]"
	touch $@

clean:
	rm -rf .venv .venv-test .mypy_cache .pytest_cache .ruff_cache
