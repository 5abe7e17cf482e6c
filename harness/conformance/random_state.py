"""The global random generators: where they stand, and how to put them elsewhere for a while."""

import random
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
import torch


def standing() -> dict[str, object]:
    """Where each generator stands, by the module that it belongs to."""
    state = np.random.get_state(legacy=False)
    assert isinstance(state, dict)
    inner = state["state"]
    return {
        "torch": torch.get_rng_state().numpy().tobytes(),
        "random": random.getstate(),
        "numpy": (inner["key"].tobytes(), inner["pos"]),
    }


@contextmanager
def elsewhere(seed: int) -> Iterator[None]:
    """Every generator as `seed` puts it; afterwards back where it was, whatever has been drawn."""
    kept = random.getstate(), np.random.get_state()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        random.seed(seed)
        np.random.seed(seed)
        try:
            yield
        finally:
            random.setstate(kept[0])
            np.random.set_state(kept[1])
