"""Every method on a checkpoint of every family: fitted, applied, folded and exported, or refused before any work."""

from pathlib import Path

import pytest
from transformers import AutoModelForCausalLM, AutoTokenizer

from benchmarks.errors import UserError
from harness.config import build_config
from harness.conformance.answers import answers
from harness.conformance.families import FAMILIES
from harness.conformance.material import GENERATION, questions
from harness.integrity import NetworkState, check_untouched
from harness.plan import make_plan
from harness.progress import Display
from harness.run_folder import RunFolder
from harness.runner import run as run_plan
from methods.base import Foldable
from methods.editing import edited
from methods.registry import METHODS, method_type
from tests.engine.fitted_runs import exported, fitted_run, load, logits, small
from tests.engine.tiny_checkpoints import saved

EDITS = ("default", "dinm", "neurontune", "dinm+neurontune")
"""Arms that can be folded."""
HOOKS = ("cavgan", "refusal_direction", "safety_prompt", "scans", "safety_prompt+scans")
MIXTURES = ("mixtral", "qwen2_moe", "qwen3_moe")
ROUNDING = 1e-5


ARMS = (*HOOKS, *EDITS)


def is_possible(family: str, arm: str) -> bool:
    return family not in MIXTURES or not method_type(arm).needs.neurons


def is_quick(family: str, arm: str) -> bool:
    """Whether the pair is on the diagonal of families and arms, or one whose edit depends on the family most."""
    return [*FAMILIES].index(family) % len(ARMS) == ARMS.index(arm) or arm in ("dinm", "neurontune")


PAIRS = [(family, arm) for family in FAMILIES for arm in ARMS]
POSSIBLE = [
    pytest.param(*pair, marks=() if is_quick(*pair) else pytest.mark.slow) for pair in PAIRS if is_possible(*pair)
]
REFUSED = [pair for pair in PAIRS if not is_possible(*pair)]


def test_every_method_is_among_the_arms() -> None:
    assert {*METHODS} < {*ARMS}


@pytest.mark.parametrize(("family", "arm"), POSSIBLE)
def test_an_arm_is_fitted_on_a_checkpoint_and_acts_there_as_its_fold(family: str, arm: str, tmp_path: Path) -> None:
    run = RunFolder(fitted_run(tmp_path, family, arm))
    model, fitted = load(tmp_path / "base"), method_type(arm).load(run.artefact(arm, 0))
    before, plain = NetworkState.of(model), answers(model, questions())
    with fitted.applied(model) as protected:
        said, replies = answers(protected, questions()), protected.generate(questions(), GENERATION)
    check_untouched(before, model, arm)
    # A detector that flags none of these questions leaves all replies as they were.
    acts = any(one.action["flagged"] for one in replies) if arm == "cavgan" else arm != "default"
    assert (plain.change(said, 0.0) is None) != acts
    assert isinstance(fitted, Foldable) == (arm in EDITS)
    if isinstance(fitted, Foldable):
        with edited(model.network, fitted.fold(model.network.state_dict(), model.blocks)):
            assert said.change(answers(model, questions()), ROUNDING) is None
        assert_exported(run.root, arm)


def assert_exported(run: Path, arm: str) -> None:
    """The checkpoint made of an arm gives the arm's logits and replies, to whoever loads it."""
    output = exported(run, arm)
    network = AutoModelForCausalLM.from_pretrained(output)
    model, words = load(run.parent / "base"), AutoTokenizer.from_pretrained(output)
    with method_type(arm).load(RunFolder(run).artefact(arm, 0)).applied(model) as protected:
        said = protected.generate(questions(), GENERATION)
        for prompt in questions():
            ids = tuple(words.apply_chat_template(
                [{"role": turn.role, "content": turn.content} for turn in prompt.messages],
                add_generation_prompt=True, return_dict=False,
            ))  # fmt: skip
            assert ids == protected.encode(prompt).ids
            assert (logits(network, ids) - logits(protected.network, ids)).abs().max() < ROUNDING
    again = load(output).generate(questions(), GENERATION)
    assert [reply.token_ids for reply in again] == [reply.token_ids for reply in said]


@pytest.mark.parametrize(("family", "arm"), REFUSED)
def test_methods_that_need_neurons_refuse_mixtures_before_any_work(family: str, arm: str, tmp_path: Path) -> None:
    base = saved(family, tmp_path / "base")
    asked = {"benchmarks": "embedded_benign", "data": "embedded"}
    config = build_config({**asked, "model": str(base), "methods": small(arm), "output": str(tmp_path / "run")})
    with pytest.raises(UserError) as caught:
        run_plan(config, make_plan(config), Display())
    assert str(caught.value) == (
        f"Method '{arm}' needs neurons, which model '{base}' does not offer, being a mixture of experts. Use a dense "
        "model, or leave the method out."
    )
    assert [path.name for path in (tmp_path / "run").iterdir()] == [".lock"]  # no work was begun
