"""Every published set, by name: the five of NeuronTune's paper with its subsets, and the usual ones beside them.

Row counts are the published ones; those of OR-Bench, and the hub's columns of OR-Bench, StrongREJECT, HarmBench and
AdvBench, are known from other projects' loaders and not from the files, so several names are tried. The same loaders
say that the sets of walledai are gated by now. Commits are pinned in `benchmarks/revisions.py`.
"""

from collections.abc import Mapping
from dataclasses import replace

from benchmarks.base import Intent
from benchmarks.columns import Columns
from benchmarks.mmlu import FewShot, ZeroShot
from benchmarks.published.base import Keep, Published, PublishedSet
from benchmarks.published.safeedit import ATTACKED, INPUTS, SafeEdit
from benchmarks.published.subsets import Subset
from benchmarks.sources import Source

_SAFEEDIT = Source(
    title="SafeEdit",
    hub="zjunlp/SafeEdit",
    split="test",
    files=("safeedit/SafeEdit_test.json",),
    rows=(1_350,),
    licence="CC BY-NC-SA 4.0",
    hub_file="SafeEdit_test.json",
    is_gated=True,
)
_SAFEEDIT_TRAIN = replace(
    _SAFEEDIT,
    split="train",
    files=("safeedit/SafeEdit_train.json",),
    rows=(4_050,),
    hub_file="SafeEdit_train.json",
)
_ADVBENCH = Source(
    title="AdvBench",
    hub="walledai/AdvBench",
    split="train",
    files=("advbench/harmful_behaviors.csv",),
    rows=(520,),
    licence="MIT",
    is_gated=True,
)
_ALPACA = Source(
    title="Alpaca",
    hub="tatsu-lab/alpaca",
    split="train",
    files=("alpaca/alpaca_data.json", "alpaca/alpaca_subdata.json"),
    rows=(52_002, 100),
    licence="CC BY-NC 4.0",
)
_TRUTHFULQA = Source(
    title="TruthfulQA",
    hub="truthfulqa/truthful_qa",
    config="generation",
    split="validation",
    files=("truthfulqa/TruthfulQA.csv",),
    rows=(817,),
    licence="Apache-2.0",
)
_XSTEST = Source(
    title="XSTest",
    hub="walledai/XSTest",
    split="test",
    files=("xstest/xstest_prompts.csv",),
    rows=(450,),
    licence="CC BY 4.0",
    is_gated=True,
)
_OR_BENCH_HARD = Source(
    title="OR-Bench",
    hub="bench-llm/or-bench",
    config="or-bench-hard-1k",
    split="train",
    files=("orbench/or-bench-hard-1k.csv",),
    rows=(1_319,),
    licence="CC BY 4.0",
)
_OR_BENCH_TOXIC = replace(_OR_BENCH_HARD, config="or-bench-toxic", files=("orbench/or-bench-toxic.csv",), rows=(655,))
_JAILBREAKBENCH = Source(
    title="JailbreakBench",
    hub="JailbreakBench/JBB-Behaviors",
    config="behaviors",
    split="harmful",
    files=("jailbreakbench/jailbreakbench.csv", "jailbreakbench/harmful-behaviors.csv"),
    rows=(100,),
    licence="MIT",
)
_HARMBENCH = Source(
    title="HarmBench",
    hub="walledai/HarmBench",
    config="standard",
    split="train",
    files=("harmbench/harmbench_behaviors_text_all.csv", "harmbench/harmbench_behaviors_text_val.csv"),
    rows=(200, 400, 80),
    licence="MIT",
    is_gated=True,
)
_STRONGREJECT = Source(
    title="StrongREJECT",
    hub="walledai/StrongREJECT",
    split="train",
    files=("strongreject/strongreject_dataset.csv",),
    rows=(313,),
    licence="MIT",
    is_gated=True,
)
_REFUSAL_DIRECTION = Source(
    title="Refusal Direction",
    hub="",
    split="train",
    files=("refusal_direction/harmful_train.json",),
    rows=(260,),
    licence="Apache-2.0",
    home="https://github.com/andyrdt/refusal_direction/tree/main/dataset/splits",
)
"""Instructions that the paper on the refusal direction learns from (Arditi et al. 2024), put together from others'."""

_GOALS = Columns(prompt=("prompt", "goal"), target=("target",), category=("category",))
_INSTRUCTIONS = Columns(prompt=("instruction",), context=("input",), useful=("output",))
_BEHAVIOURS = Columns(prompt=("behavior", "prompt"), category=("SemanticCategory", "category"))
_STANDARD = Keep("functionalcategory", "standard", is_needed=False)
_ASKED = Columns(prompt=("question",), category=("category",), useful=("best answer",))

_OF_NEURONTUNE = Subset(0, 975, of=1_350)

PUBLISHED: Mapping[str, Published] = {
    "safeedit": SafeEdit("SafeEdit's test questions, attacked (gated)", _SAFEEDIT),
    **{
        f"safeedit_{name}": SafeEdit(f"of SafeEdit's test instances, {asked.meaning} (gated)", _SAFEEDIT, asked)
        for name, asked in INPUTS.items()
    },
    "safeedit_975": SafeEdit(
        "975 of SafeEdit's 1,350, as many as NeuronTune reports (gated)", _SAFEEDIT, subset=_OF_NEURONTUNE
    ),
    **{
        f"safeedit_975_{name}": SafeEdit(f"of these 975, {asked.meaning} (gated)", _SAFEEDIT, asked, _OF_NEURONTUNE)
        for name, asked in INPUTS.items()
    },
    "advbench": PublishedSet("AdvBench, harmful instructions (gated)", _ADVBENCH, Intent.HARMFUL, _GOALS),
    "advbench_456": PublishedSet(
        "AdvBench without its 64 anchors (gated)", _ADVBENCH, Intent.HARMFUL, _GOALS, subset=Subset(64, 520, of=520)
    ),
    "alpaca": PublishedSet("Alpaca, instructions of all kinds", _ALPACA, Intent.BENIGN, _INSTRUCTIONS),
    "alpaca_100": PublishedSet(
        "100 of Alpaca's 52,002", _ALPACA, Intent.BENIGN, _INSTRUCTIONS, subset=Subset(0, 100, of=52_002)
    ),
    "truthfulqa": PublishedSet("TruthfulQA, answered in words", _TRUTHFULQA, Intent.BENIGN, _ASKED),
    "truthfulqa_753": PublishedSet(
        "TruthfulQA without its 64 anchors", _TRUTHFULQA, Intent.BENIGN, _ASKED, subset=Subset(64, 817, of=817)
    ),
    "mmlu": FewShot("MMLU after five solved questions, by log-probability, as in lm-evaluation-harness"),
    "mmlu_zero_shot": ZeroShot("MMLU in a chat turn, answered in words"),
    "xstest_safe": PublishedSet(
        "XSTest, harmless questions that sound alarming (gated)",
        _XSTEST,
        Intent.BENIGN,
        Columns(prompt=("prompt",), category=("type",)),
        Keep("label", "safe"),
    ),
    "xstest_unsafe": PublishedSet(
        "XSTest, their harmful counterparts (gated)",
        _XSTEST,
        Intent.HARMFUL,
        Columns(prompt=("prompt",), category=("type",)),
        Keep("label", "unsafe"),
    ),
    "orbench_hard": PublishedSet(
        "OR-Bench hard-1k, harmless prompts that models often refuse", _OR_BENCH_HARD, Intent.BENIGN, _GOALS
    ),
    "orbench_toxic": PublishedSet("OR-Bench toxic, harmful prompts", _OR_BENCH_TOXIC, Intent.HARMFUL, _GOALS),
    "jailbreakbench": PublishedSet("JailbreakBench, harmful behaviours", _JAILBREAKBENCH, Intent.HARMFUL, _GOALS),
    "jailbreakbench_benign": PublishedSet(
        "JailbreakBench, benign behaviours of the same themes",
        replace(_JAILBREAKBENCH, split="benign", files=("jailbreakbench/benign-behaviors.csv",)),
        Intent.BENIGN,
        _GOALS,
    ),
    "harmbench": PublishedSet(
        "HarmBench, standard behaviours (gated; of the validation file where that alone is there)",
        _HARMBENCH,
        Intent.HARMFUL,
        _BEHAVIOURS,
        _STANDARD,
    ),
    "strongreject": PublishedSet(
        "StrongREJECT, forbidden prompts (gated)",
        _STRONGREJECT,
        Intent.HARMFUL,
        Columns(prompt=("forbidden_prompt", "prompt"), category=("category",)),
    ),
    "advbench_anchors": PublishedSet(
        "64 of AdvBench, to learn from (gated)",
        _ADVBENCH,
        Intent.HARMFUL,
        _GOALS,
        subset=Subset(0, 64, of=520),
        split=None,
    ),
    "harmful_instructions": PublishedSet(
        "harmful instructions of several sources but those of the usual tests, to learn from",
        _REFUSAL_DIRECTION,
        Intent.HARMFUL,
        _INSTRUCTIONS,
        split=None,
    ),
    "harmbench_anchors": PublishedSet(
        "100 of HarmBench's 200 standard behaviours, to learn from (gated)",
        _HARMBENCH,
        Intent.HARMFUL,
        _BEHAVIOURS,
        _STANDARD,
        subset=Subset(0, 100, of=200),
        split=None,
    ),
    "truthfulqa_anchors": PublishedSet(
        "64 of TruthfulQA, to learn from",
        _TRUTHFULQA,
        Intent.BENIGN,
        _ASKED,
        subset=Subset(0, 64, of=817),
        split=None,
    ),
    "alpaca_anchors": PublishedSet(
        "100 more of Alpaca, to learn from",
        replace(_ALPACA, files=_ALPACA.files[:1], rows=_ALPACA.rows[:1]),
        Intent.BENIGN,
        _INSTRUCTIONS,
        subset=Subset(100, 200, of=52_002),
        split=None,
    ),
    "harmless_instructions": PublishedSet(
        "100 instructions of Alpaca without their answers, to learn from",
        replace(
            _REFUSAL_DIRECTION,
            split="validation",
            files=("refusal_direction/harmless_val.json",),
            rows=(6_264,),
            licence="CC BY-NC 4.0",
        ),
        Intent.BENIGN,
        _INSTRUCTIONS,
        subset=Subset(0, 100, of=6_264),
        split=None,
    ),
    "safeedit_train": PublishedSet(
        "SafeEdit's training questions, attacked, to learn from (gated)",
        _SAFEEDIT_TRAIN,
        Intent.HARMFUL,
        ATTACKED,
        split=None,
    ),
}

KEPT_APART: Mapping[str, tuple[str, ...]] = {
    "harmful_instructions": ("advbench", "jailbreakbench", "strongreject", "harmbench", "xstest_unsafe"),
    "harmless_instructions": ("alpaca_100", "truthfulqa", "xstest_safe", "orbench_hard"),
}
"""Sets to learn from that mix the rows of others, and the tests whose questions are left out of them."""
