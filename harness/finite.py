"""NaN and infinity end an arm, with the dtype that they came in: whatever follows from them would mean nothing."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from torch import Tensor

_WAYS_OUT: Mapping[str, str] = {
    "float16": "It holds nothing beyond 65,504: try --dtype bfloat16 or float32.",
    "bfloat16": "Try --dtype float32.",
}
_BROKEN = "The weights are damaged, or the arm broke the model."


class NotFiniteError(ArithmeticError):
    """A number came out as NaN or infinite: whatever follows from it would mean nothing."""


def not_finite(what: str, number: float, dtype: object) -> NotFiniteError:
    """The error for a number of a network with weights of this dtype, with what may help."""
    plain = str(dtype).removeprefix("torch.")
    return NotFiniteError(f"{what} is {number} in {plain}. {_WAYS_OUT.get(plain, _BROKEN)}")


class FiniteLogits:
    """Looks at the logits of every step of a generation, as `transformers` asks its logits processors."""

    def __init__(self, name: str, dtype: object) -> None:
        self.name, self.dtype = name, dtype

    def __call__(self, ids: "Tensor", logits: "Tensor") -> "Tensor":
        """The same logits.

        Raises:
            NotFiniteError: If the largest of a row is none: NaN spreads to it, and a model may rule tokens out with
                minus infinity.
        """
        largest = logits.amax(dim=-1)
        if not largest.isfinite().all():
            worst = float(largest[~largest.isfinite()][0])
            raise not_finite(f"A logit of '{self.name}' at token {ids.shape[1]}", worst, self.dtype)
        return logits
