"""The look before the run: model, template, memory, data, judge, engine and disk, before any of them costs time."""

import errno
import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from benchmarks.base import AlignmentData, Benchmark, Prompt
from benchmarks.errors import UserError
from benchmarks.registry import load_alignment, load_benchmark
from harness import registry
from harness.batching import AUTOMATIC
from harness.checkpoints import Checkpoint, check_packages, open_checkpoint
from harness.config import RunConfig
from harness.control_tokens import look_at_control_tokens
from harness.decoding import look_at_decoding
from harness.devices import device_of, dtype_of
from harness.findings import Finding, Findings, Level
from harness.instances import check_instances
from harness.loading_errors import reading
from harness.memory import Batch, Memory, estimate, free_bytes
from harness.model_limits import Limits
from harness.outline import look_at_methods, prompting
from harness.plan import Plan, PlannedArm, check_requirements, planned
from harness.progress import Display
from harness.prompting import Prompting
from harness.remote.store import Store
from harness.storage import writing
from harness.template_facts import TemplateFacts, template_facts
from metrics.base import Examinable, Seen
from metrics.registry import judge

_BYTES_PER_TOKEN = 12
"""Of a reply on disk: its text and its token id."""
_SHRINKING = "Passes shrink by themselves where memory is refused; where a system kills instead, give a --batch-size."
_SPARE = 2**30
"""Bytes that should stay free."""


class Parts(NamedTuple):
    """What a run is made of, as far as it could be had."""

    arms: Sequence[PlannedArm]
    data: AlignmentData | None
    benchmarks: Sequence[Benchmark]


def examine(config: RunConfig) -> list[Finding]:
    """All that can be said of a run before it starts."""
    findings = Findings()
    parts = _parts(config, findings)
    findings.attempt("judge", partial(_look_at_judge, config.judge, findings))
    engine = findings.attempt("engine", lambda: registry.engine(config.engine))
    if engine:
        findings.add("engine", Level.OK, config.engine)
        for arm in parts.arms:
            findings.attempt("methods", partial(check_requirements, (arm,), config.engine, engine.offers))
    findings.attempt("methods", lambda: check_instances([arm.method for arm in parts.arms], parts.benchmarks))
    surroundings = _Surroundings(config, parts, findings)
    surroundings.look()
    is_read = registry.plain_name(config.engine) in registry.READERS
    if engine and parts.data and (surroundings.checkpoint or not is_read):
        look_at_methods(config.model, surroundings.checkpoint, parts.arms, parts.data, findings)
    return findings.lines


def preflight(config: RunConfig, plan: Plan, display: Display) -> None:
    """Look at what the plan has not touched yet, and tell what may go wrong.

    Raises:
        UserError: If something keeps the run from starting.
    """
    findings = Findings()
    findings.attempt("judge", partial(_look_at_judge, config.judge, findings))
    _Surroundings(config, Parts(plan.arms, plan.data, plan.benchmarks), findings).look()
    for line in findings.lines:
        if line.level is Level.WARNING:
            display.note(f"warning: {line.subject}: {line.text}")
    if findings.problems:
        more = len(findings.problems) - 1
        others = f" 'equipoise doctor' with the same flags tells {more} more." if more else ""
        raise UserError(findings.problems[0].text + others)


def _look_at_judge(name: str, findings: Findings) -> None:
    made = judge(name)
    seen = made.examine() if isinstance(made, Examinable) else Seen(name)
    findings.add("judge", Level.WARNING if seen.is_doubtful else Level.OK, seen.text)


def _limited(name: str, limit: int | float | None) -> Benchmark:
    return load_benchmark(name).limited(limit)


def stops(lines: Sequence[Finding]) -> bool:
    """Whether a run could not start."""
    return any(line.level is Level.PROBLEM for line in lines)


def _parts(config: RunConfig, findings: Findings) -> Parts:
    arms = [findings.attempt("methods", partial(planned, spec, config.seeds)) for spec in config.arms]
    data = findings.attempt("data", lambda: load_alignment(config.data))
    if data:
        findings.add("data", Level.OK, f"{config.data}: {len(data.train)} train and {len(data.dev)} dev prompts")
    benchmarks = []
    for name in config.benchmarks:
        found = findings.attempt("benchmark", partial(_limited, name, config.limit))
        if found:
            findings.add("benchmark", Level.OK, f"{name}: {len(found.prompts):,} prompts")
            benchmarks.append(found)
    return Parts([arm for arm in arms if arm], data, benchmarks)


@dataclass(slots=True)
class _Surroundings:
    """The model and the machine of one run."""

    config: RunConfig
    parts: Parts
    findings: Findings
    checkpoint: Checkpoint | None = None
    """Once it was found, with a template that works."""

    def look(self) -> None:
        """Add a line for each thing."""
        if registry.plain_name(self.config.engine) in registry.READERS:
            checkpoint = self.findings.attempt("model", self._model)
            facts = self.findings.attempt("template", lambda: self._template(checkpoint)) if checkpoint else None
            # A cluster's workers run the model, on machines that cannot be seen from here.
            if checkpoint and facts and not self.config.cluster:
                self.findings.attempt("memory", lambda: self._memory(checkpoint))
            if checkpoint and facts:
                self.checkpoint = checkpoint
                self._limits(checkpoint, facts)
                look_at_decoding(self.config.model, checkpoint, self.findings)
                look_at_control_tokens(
                    checkpoint.tokenizer, self._prompts(), self.config.model.control_tokens, self.findings
                )
        self.findings.attempt("disk", self._disk)
        if self.config.url:
            self.findings.attempt("output", partial(self._url, self.config.url))

    def _model(self) -> Checkpoint:
        spec = self.config.model
        check_packages(spec)
        checkpoint = open_checkpoint(spec)
        self.findings.add("model", Level.OK, f"{spec.name}: {checkpoint.config.model_type}")
        if spec.quantize or getattr(checkpoint.config, "quantization_config", None):
            for arm in self.parts.arms:
                if arm.method.needs.weights:
                    text = f"Method '{arm.method.name}' edits weights, which a quantised model does not allow."
                    self.findings.add(
                        "methods", Level.PROBLEM, f"{text} Give the whole model, or leave the method out."
                    )
        return checkpoint

    def _template(self, checkpoint: Checkpoint) -> TemplateFacts:
        spec = self.config.model
        facts = template_facts(spec.name, self._prompting(checkpoint))
        self.findings.add("template", Level.OK, "; ".join(_said(facts, spec.today.isoformat())))
        for benchmark in self.parts.benchmarks if facts.no_system_turn else ():
            if any(map(_has_system_turn, benchmark.prompts)):
                text = f"Benchmark '{benchmark.name}' has system turns, but the template {facts.no_system_turn}."
                self.findings.add("template", Level.PROBLEM, f"{text} Leave it out, or take another model.")
        if facts.lacks_beginning:
            text = "writes no beginning-of-text token, which the tokenizer puts before plain text; prompts go without"
            self.findings.add("template", Level.WARNING, text)
        return facts

    def _memory(self, checkpoint: Checkpoint) -> None:
        spec = self.config.model
        device = device_of(spec.device)
        if spec.trust_remote_code:
            return self.findings.add("memory", Level.OK, "not estimated: the model is built by code of its own")
        batch = Batch(
            rows=self.config.batch_size or AUTOMATIC,
            prompt_tokens=self._longest(checkpoint),
            reply_tokens=self.config.generation.max_new_tokens,
            has_gradients=any(arm.method.needs.gradients for arm in self.parts.arms),
        )
        dtype = dtype_of(spec.dtype, device)
        with reading(spec, "configuration"):
            needed = estimate(checkpoint.config, spec, dtype, batch)
        free = free_bytes(device, is_spread=spec.device_map is not None)
        where = f"{device}" if device.type == "cuda" else "this machine"
        text = f"about {_told(needed)}; {_gib(free)} free on {where}"
        self.findings.add("memory", *_judged(text, needed, free))

    def _limits(self, checkpoint: Checkpoint, facts: TemplateFacts) -> None:
        """Hold what is asked against what the model can read. Raw prompts are cut, as their protocol has it."""
        limits = Limits.of(self.config.model.name, checkpoint)
        made, tokens = self._prompting(checkpoint), self.config.generation.max_new_tokens
        limits.look_at_words(made, self.findings)
        for benchmark in self.parts.benchmarks:
            asked = [
                prompt
                for prompt in benchmark.prompts
                if not (prompt.is_raw or (facts.no_system_turn and _has_system_turn(prompt)))
            ]
            limits.look_at_lengths(made, benchmark, asked, tokens, self.findings)

    def _prompts(self) -> dict[str, Sequence[Prompt]]:
        """All that is asked or learnt from."""
        data = self.parts.data
        learnt = {data.name: (*data.train, *data.dev)} if data else {}
        return {**{benchmark.name: benchmark.prompts for benchmark in self.parts.benchmarks}, **learnt}

    def _longest(self, checkpoint: Checkpoint) -> int:
        """Tokens of the longest prompt, by characters, of all that is asked or learnt from."""
        made = self._prompting(checkpoint)
        longest = [max(prompts, key=_characters) for prompts in self._prompts().values() if prompts]
        return max((len(made.tokens(_text(prompt))) for prompt in longest), default=0)

    def _prompting(self, checkpoint: Checkpoint) -> Prompting:
        return prompting(self.config.model, checkpoint)

    def _disk(self) -> None:
        replies = sum(
            len(arm.seeds) * len(benchmark.prompts) for arm in self.parts.arms for benchmark in self.parts.benchmarks
        )
        needed = replies * self.config.generation.max_new_tokens * _BYTES_PER_TOKEN
        place = next(
            path for path in (self.config.output.absolute(), *self.config.output.absolute().parents) if path.exists()
        )
        with writing(self.config.output):
            if not place.is_dir():
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR))
            if not os.access(place, os.W_OK):
                raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
        free = shutil.disk_usage(place).free
        text = f"at most {_gib(needed)} for {replies:,} replies; {_gib(free)} free at {self.config.output}"
        if free < needed + _SPARE:
            level = Level.PROBLEM if free < needed else Level.WARNING
            return self.findings.add("disk", level, f"{text}. Make room, or choose another --output.")
        self.findings.add("disk", Level.OK, text)

    def _url(self, url: str) -> None:
        files = Store(url).versions()
        self.findings.add("output", Level.OK, f"{url}: {len(files):,} files, mirrored in {self.config.output}")


def _judged(text: str, needed: Memory, free: int) -> tuple[Level, str]:
    if needed.weights > free:
        return Level.PROBLEM, f"not enough memory: {text}. Try --dtype bfloat16, --quantize 4bit or --device-map auto."
    if needed.total > free:
        return Level.WARNING, f"may not suffice: {text}. {_SHRINKING}"
    return Level.OK, text


def _told(needed: Memory) -> str:
    parts = {
        "weights": needed.weights,
        "to write a batch of replies": needed.generation,
        "to score it": needed.scoring,
        "for a pass with gradients": needed.training,
    }
    return ", ".join(f"{_gib(size)} {name}" for name, size in parts.items() if size)


def _said(facts: TemplateFacts, today: str) -> list[str]:
    said = ["has system turns" if not facts.no_system_turn else facts.no_system_turn]
    if facts.injects_system_turn:
        said.append("writes one of its own where none is given: --system-prompt sets it")
    if facts.is_dated:
        said.append(f"tells the model a date, pinned to {today}")
    if facts.opens_thinking:
        said.append("opens a thought, which is left out of what is judged")
    return [*said, f"before the user's words: {facts.preamble!r}"]


def _has_system_turn(prompt: Prompt) -> bool:
    return any(message.role == "system" for message in prompt.messages)


def _characters(prompt: Prompt) -> int:
    return sum(len(message.content) for message in prompt.messages)


def _text(prompt: Prompt) -> str:
    return "\n".join(message.content for message in prompt.messages)


def _gib(size: int) -> str:
    return f"{size / 2**30:.2f} GiB" if size >= 2**25 else f"{size / 2**20:.2f} MiB"
