"""How good the linear judge is on models that it has not seen: `python -m metrics.judges.linear.evaluate`.

Each model is left out in turn; settings are chosen on the others alone. It writes `evaluation.json`, the table of the
card, and the judge's line in the record of known errors. The figures are of the recipe, not of the shipped weights,
which have seen all models.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.errors import UserError
from metrics.base import Verdict
from metrics.judge_agreement import agreement
from metrics.judges.labelled import Labelled, digest
from metrics.judges.linear.fit import EXTRA, Settings, Style, choose, fit, grid
from metrics.judges.linear.judge import LinearJudge
from metrics.judges.linear.train import labelled, styles
from metrics.judges.measured import record
from metrics.judges.measuring import MODELS, asked, xstest_files
from metrics.judges.phrase_judges import PHRASE_JUDGES

EVALUATION = Path(__file__).with_name("evaluation.json")
CARD = Path(__file__).with_name("README.md")
START, END = "<!-- evaluation -->", "<!-- end -->"
"""Between them stand the card's tables."""
VARIANTS: Mapping[str, Sequence[Settings]] = {
    "linear": list(grid()),
    "phrases only": list(grid(ngrams=False)),
    "n-grams only": list(grid(phrases=False)),
}
NEW_PROMPTS, ONE_MODEL = ", new prompts", ", one model"
"""Harder tests, in the names of their rows."""
Row = dict[str, Any]
Verdicts = dict[str, list[Verdict]]
"""By held-out model."""


def evaluate(replies: Mapping[str, tuple[Labelled, ...]], known: Mapping[str, Style]) -> list[Row]:
    """Every row of the evaluation: what was trained on what, tested on what, with which figures."""
    rows = list(_phrase_rules(replies))
    for variant, tried in VARIANTS.items():
        found: Verdicts = {}
        for test in MODELS:
            train = {name: one for name, one in known.items() if name != test}
            settings = choose(train, tried)
            found[test] = _verdicts(train, known[test], settings)
            rows.append(_row(variant, train, test, found[test], replies[test], settings))
        rows.append(_pooled(variant, found, replies))
    for variant in ("linear", "phrases only"):
        chosen = {row["tested_on"]: Settings(**row["settings"]) for row in rows if _is_held_out(row, variant)}
        rows += _new_prompts(variant, replies, known, chosen)
    return [*rows, *_one_model(replies, known)]


def _is_held_out(row: Row, variant: str) -> bool:
    return bool(row["judge"] == variant and row["tested_on"] in MODELS)


def _phrase_rules(replies: Mapping[str, tuple[Labelled, ...]]) -> Iterator[Row]:
    from metrics.registry import judge

    for name in PHRASE_JUDGES:
        made = judge(name)
        found = {test: [one.verdict for one in made.judge(asked(replies[test]))] for test in MODELS}
        for test in MODELS:
            yield _row(name, {}, test, found[test], replies[test])
        yield _pooled(name, found, replies)


def _one_model(replies: Mapping[str, tuple[Labelled, ...]], known: Mapping[str, Style]) -> Iterator[Row]:
    for source in MODELS:
        train = {name: known[name] for name in (source, EXTRA)}
        settings = choose(train, VARIANTS["linear"])
        for test in MODELS:
            if test != source:
                yield _row(
                    "linear" + ONE_MODEL, train, test, _verdicts(train, known[test], settings), replies[test], settings
                )


def _new_prompts(
    variant: str,
    replies: Mapping[str, tuple[Labelled, ...]],
    known: Mapping[str, Style],
    chosen: Mapping[str, Settings],
) -> Iterator[Row]:
    """As before, and no prompt of the tested family, put to another model, was trained on."""
    found: Verdicts = {}
    for test in MODELS:
        given: list[Verdict] = [Verdict.UNSURE] * len(replies[test])
        others = {name: one for name, one in known.items() if name != test}
        for family in np.unique(known[test].families):
            here = known[test].families == family
            train = {name: one.part(one.families != family) for name, one in others.items()}
            verdicts = _verdicts(train, known[test].part(here), chosen[test])
            for place, verdict in zip(np.flatnonzero(here), verdicts, strict=True):
                given[place] = verdict
        found[test] = given
        yield _row(variant + NEW_PROMPTS, others, test, given, replies[test], chosen[test])
    yield _pooled(variant + NEW_PROMPTS, found, replies)


def _verdicts(train: Mapping[str, Style], test: Style, settings: Settings) -> list[Verdict]:
    scores = fit(train, settings).scores(test.matrix)
    return [Verdict.REFUSED if score > 0 else Verdict.COMPLIED for score in scores]


def _row(
    judge: str,
    train: Mapping[str, Style],
    test: str,
    given: Sequence[Verdict],
    replies: Sequence[Labelled],
    settings: Settings | None = None,
) -> Row:
    truth = [reply.is_refusal for reply in replies]
    right = [(one is Verdict.REFUSED) == refused for one, refused in zip(given, truth, strict=True)]
    used = [name for name in train if name != EXTRA or settings is None or settings.has_extra]
    return {
        "judge": judge,
        "trained_on": used,
        "tested_on": test,
        "settings": asdict(settings) if settings else None,
        **asdict(agreement(given, truth)),
        "right_by_label": _right_by([reply.label for reply in replies], right),
        "right_by_type": _right_by([reply.group for reply in replies], right),
    }


def _pooled(judge: str, found: Verdicts, replies: Mapping[str, tuple[Labelled, ...]]) -> Row:
    given = [one for test in MODELS for one in found[test]]
    return _row(judge, {}, "all", given, [reply for test in MODELS for reply in replies[test]])


def _right_by(names: Sequence[str], right: Sequence[bool]) -> dict[str, list[int]]:
    counts = Counter(names)
    hits = Counter(name for name, is_right in zip(names, right, strict=True) if is_right)
    return {name: [hits[name], counts[name]] for name in sorted(counts)}


def error_line(rows: Sequence[Row]) -> Row:
    """The judge's line of the record: both the model and the prompts are new; the worst model by name."""
    name = "linear" + NEW_PROMPTS
    worst = min((row for row in rows if _is_held_out(row, name)), key=lambda row: row["accuracy"]["value"])
    pooled = next(row for row in rows if row["judge"] == name and row["tested_on"] == "all")
    hashed = digest(list(xstest_files().values()))
    return {
        "version": LinearJudge().version,
        "sensitivity": round(pooled["sensitivity"]["value"], 4),
        "specificity": round(pooled["specificity"]["value"], 4),
        "n_positive": pooled["sensitivity"]["n"],
        "n_negative": pooled["specificity"]["n"],
        "source": f"XSTest's human labels, each of 3 models and family of prompts left out of the training in turn, "
        f"sha256 {hashed}; worst on {worst['tested_on']}, accuracy {worst['accuracy']['value']:.3f}",
    }


def table(rows: Sequence[Row]) -> str:
    """The evaluation as Markdown: figures of each judge on each model, then its hits by type of prompt."""
    shares = ("accuracy", "sensitivity", "specificity", "kappa")
    labels = ("1_full_compliance", "2_full_refusal", "3_partial_refusal")
    headers = ["judge", "trained on", "tested on", *shares, *(label[2:].replace("_", " ") for label in labels)]
    figures = [
        [row["judge"], ", ".join(row["trained_on"]), row["tested_on"], *(_share(row[share]) for share in shares)]
        + [_hits(row["right_by_label"].get(label)) for label in labels]
        for row in rows
    ]
    pooled = [row for row in rows if row["tested_on"] == "all"]
    kinds = sorted({kind for row in pooled for kind in row["right_by_type"]})
    by_kind = [[kind, *(_hits(row["right_by_type"].get(kind)) for row in pooled)] for kind in kinds]
    return "\n\n".join([_markdown(headers, figures), _markdown(["type", *(row["judge"] for row in pooled)], by_kind)])


def _markdown(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [headers, ["---"] * len(headers), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _share(estimate: Mapping[str, float | None]) -> str:
    if estimate["low"] is None:  # nothing varies
        return f"{estimate['value']:.3f}"
    return f"{estimate['value']:.3f} ({estimate['low']:.2f}-{estimate['high']:.2f})"


def _hits(found: Sequence[int] | None) -> str:
    return f"{found[0]}/{found[1]}" if found else ""


def write(rows: Sequence[Row]) -> None:
    """The evaluation, the card's tables and the judge's line of the record."""
    EVALUATION.write_text(json.dumps(rows) + "\n", encoding="utf-8")
    before, _, rest = CARD.read_text(encoding="utf-8").partition(START)
    CARD.write_text(f"{before}{START}\n{table(rows)}\n{END}{rest.partition(END)[2]}", encoding="utf-8")
    record({"linear": error_line(rows)})


def main() -> int:
    """Evaluate, and write all that tells of it."""
    try:
        replies = labelled()
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    write(evaluate(replies, styles(replies)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
