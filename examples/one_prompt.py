"""A fitted method is a context manager: inside, the model is protected; outside, it is what it was, to the bit."""

from benchmarks.registry import load_alignment, load_benchmark
from harness.base import ModelSpec
from harness.registry import engine
from methods.base import GenerationSettings
from methods.neurontune.method import NeuronTune
from methods.neurontune.settings import NeuronTuneSettings

model = engine("transformers").load(ModelSpec("embedded"))
settings = NeuronTuneSettings(safety_neurons=50, utility_neurons=50, utility_samples=2, local_samples=8)
fitted = NeuronTune(settings).fit(model, load_alignment("embedded"), seed=0, progress=lambda *_: None)
prompts = load_benchmark("embedded_attacked").prompts[:3]
with fitted.applied(model) as protected:
    for reply in protected.generate(prompts, GenerationSettings(max_new_tokens=96)):
        print(reply.text)
