"""The arm that is to be exported: found in its run, finished, and with the very artefact that was fitted."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.errors import UserError, find, unknown_name
from benchmarks.plugins import outside
from harness.fingerprint import source_hash
from harness.fitting import read_facts
from harness.run_folder import RunFolder
from methods.base import Fitted
from methods.registry import method_type


@dataclass(frozen=True, slots=True)
class ChosenArm:
    """One arm of a run, as it was fitted with one seed."""

    run: RunFolder
    label: str
    method: str
    """Its name; `a+b` for a chain."""
    seed: int
    settings: Mapping[str, Any]
    protocol: Mapping[str, Any]
    """Of the run."""
    hash: str
    """SHA-256 of the artefact."""

    @property
    def folder(self) -> Path:
        """Of the artefact."""
        return self.run.artefact(self.label, self.seed)

    @property
    def unfoldable(self) -> tuple[str, ...]:
        """Names of the parts that are more than an edit of weights."""
        from methods.base import Foldable
        from methods.chain import FittedChain

        fitted = self.fitted()
        if isinstance(fitted, FittedChain):
            pairs = zip(fitted.parts, fitted.fitted, strict=True)
            return tuple(part.label for part, one in pairs if not isinstance(one, Foldable))
        return () if isinstance(fitted, Foldable) else (self.method,)

    def fitted(self) -> Fitted:
        """The arm, read back by its method.

        Raises:
            PluginError: If a method from outside cannot be used.
            UserError: If its method is not here, or not as it was in the run.
        """
        code = self.protocol["arms"][self.label].get("code", {})
        for name in self.method.split("+"):
            self._check_code(name, code.get(name))
        with outside(f"Method '{self.method}'", "loaded"):
            return method_type(self.method).load(self.folder)

    def _check_code(self, name: str, known: str | None) -> None:
        way_out = "or give --artefact, which needs no method"
        try:
            kind = method_type(name)
        except UserError as error:
            if known is None:
                raise
            raise UserError(
                f"Method '{name}' of arm '{self.label}' comes from outside and is not installed here by that name. "
                f"Install it with an entry point, {way_out}."
            ) from error
        if known is not None and source_hash(kind) != known:
            raise UserError(
                f"Method '{name}' of arm '{self.label}' is another version than in the run. "
                f"Bring back the old one, {way_out}."
            )


def choose(run: RunFolder, wanted: str, seed: int | None) -> ChosenArm:
    """Find an arm by its label, or by its method where no other arm has it; without a seed, its first fit is meant.

    Raises:
        UserError: If this is no run, or the arm is unknown, failed, or has no complete artefact of that seed.
    """
    header = run.header()
    described = find("arm", wanted, _arms(header))
    label = described["name"]
    failure = run.failure(label)
    if failure.exists():
        reason = failure.read_text(encoding="utf-8").partition("\n")[0].rstrip(".")
        raise UserError(f"Arm '{label}' failed in this run and cannot be exported: {reason}.")
    seeds = described["seeds"]
    if seed is not None and seed not in seeds:
        raise unknown_name(f"seed of arm '{label}'", str(seed), map(str, seeds))
    chosen = seeds[0] if seed is None else seed
    facts = read_facts(run.artefact(label, chosen))
    if facts is None:
        raise UserError(
            f"Arm '{label}' has no artefact of seed {chosen} as a fit writes it: the run is not that far, or files in "
            f"'{run.artefact(label, chosen)}' were changed. Run the same command again to fit it."
        )
    return ChosenArm(run, label, described["method"], chosen, described["settings"], header["protocol"], facts["hash"])


def _arms(header: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """By all names that an arm goes by."""
    arms: list[Mapping[str, Any]] = header["arms"]
    uses = Counter(arm["method"] for arm in arms)
    by_method = {arm["method"]: arm for arm in arms if uses[arm["method"]] == 1}
    return {**by_method, **{arm["name"]: arm for arm in arms}}
