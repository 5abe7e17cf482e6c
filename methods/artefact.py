"""What a fit leaves on disk: one file of tensors, one of plain facts, nothing that can be executed."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from methods.base import Cost

if TYPE_CHECKING:
    from torch import Tensor

TENSORS, RECORD = "tensors.safetensors", "artefact.json"


@dataclass(frozen=True, slots=True)
class Artefact:
    """The content of both files. Equal content gives equal bytes."""

    method: str
    cost: Cost
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    """For the report; JSON-ready."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """What the arm needs besides tensors, for instance a threshold; JSON-ready."""
    tensors: "Mapping[str, Tensor]" = field(default_factory=dict)

    def save(self, folder: Path) -> None:
        """Write both files; that of the tensors only where there are any."""
        if self.tensors:
            from safetensors.torch import save_file

            ready = {name: tensor.detach().cpu().contiguous() for name, tensor in self.tensors.items()}
            save_file(ready, folder / TENSORS)
        record = {
            "method": self.method,
            "cost": asdict(self.cost),
            "diagnostics": self.diagnostics,
            "facts": self.facts,
        }
        (folder / RECORD).write_text(json.dumps(record, indent=1), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> "Artefact":
        """Read what `save` wrote; tensors lie on the CPU."""
        record = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        tensors: Mapping[str, Tensor] = {}
        if (folder / TENSORS).exists():
            from safetensors.torch import load_file

            tensors = load_file(folder / TENSORS)
        return cls(record["method"], Cost(**record["cost"]), record["diagnostics"], record["facts"], tensors)
