"""The main job from Python: two arms on the embedded model, and what one of them says to one prompt."""

from harness.config import build_config
from harness.pages import write_pages
from harness.plan import make_plan
from harness.progress import Display
from harness.run_folder import RunFolder
from harness.runner import run

METHODS = "default,neurontune[safety_neurons=50,utility_neurons=50,utility_samples=2,epochs=5]"

config = build_config({"methods": METHODS, "limit": 40, "max_new_tokens": 96, "output": "runs/from-python"})
run(config, make_plan(config), Display())
print(write_pages(RunFolder(config.output), None, print).leaderboard)
