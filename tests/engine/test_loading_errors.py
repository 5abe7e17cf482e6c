import huggingface_hub.errors
import pytest
import torch

from harness.base import ModelSpec
from harness.loading_errors import not_loadable


def hub_error(name: str) -> Exception:
    """As transformers raises it: an OSError that came of one of the hub's. Those want a response, which is left out."""
    kind: type[Exception] = getattr(huggingface_hub.errors, name)
    error = OSError("Many\nlines of advice.")
    error.__cause__ = kind.__new__(kind)
    return error


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "GatedRepoError",
            "Model 'org/m' is gated. Accept its licence at https://huggingface.co/org/m and set HF_TOKEN to a token of "
            "that account.",
        ),
        (
            "RepositoryNotFoundError",
            "Model 'org/m' is neither a folder here nor on the hub, or it is private. Check the name; for a private "
            "one set HF_TOKEN.",
        ),
        (
            "RevisionNotFoundError",
            "Model 'org/m' has no revision 'v2'. https://huggingface.co/org/m/commits lists them.",
        ),
        ("HfHubHTTPError", "Model 'org/m' could not be loaded: Many lines of advice."),
    ],
)
def test_what_the_hub_says_is_told_with_the_way_out(name: str, message: str) -> None:
    assert str(not_loadable(ModelSpec("org/m", revision="v2"), hub_error(name))) == message


def test_too_little_memory_is_told_with_what_needs_less() -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB")
    assert str(not_loadable(ModelSpec("org/m", device="cuda:0"), error)) == (
        "Model 'org/m' does not fit into the memory of 'cuda:0'. Try --dtype bfloat16, --quantize 4bit or "
        "--device-map auto."
    )
