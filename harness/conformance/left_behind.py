"""What a method left in a network, in words, with how large the difference is."""

from harness.integrity import NetworkState
from methods.base import ChatModel


def left_behind(before: NetworkState, model: ChatModel, untouched: ChatModel) -> str:
    """What is not as it was; empty if all is.

    Args:
        before: Of `model`, before.
        model: The model that a method had.
        untouched: An equal model that no method has had.
    """
    after = NetworkState.of(model)
    words = before.left_by(after)
    if before.tensors.keys() != after.tensors.keys() or before.tensors == after.tensors:
        return words
    weights, others = model.network.state_dict(), untouched.network.state_dict()
    largest = max(float((weights[name].double() - others[name].double()).abs().max()) for name in weights)
    return f"{words}, by up to {largest:.2g}"
