"""The two networks: a discriminator that detects malice in a hidden state, and a generator that hides it."""

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.utils.parametrizations import weight_norm

HIDDEN = (128, 64, 32)


class Discriminator(nn.Module):
    """Perceptron of four layers, d -> 128 -> 64 -> 32 -> 1; a logit of P(malicious)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            *(
                layer
                for before, after in zip((width, *HIDDEN), HIDDEN, strict=False)
                for layer in (nn.Linear(before, after), nn.ReLU())
            ),
            nn.Linear(HIDDEN[-1], 1),
        )

    def forward(self, states: Float[Tensor, "row width"]) -> Float[Tensor, " row"]:
        """Log-odds that the question behind each state is malicious."""
        logits: Tensor = self.layers(states)
        return logits.squeeze(1)


class Generator(nn.Module):
    """Perceptron of four weight-normalised layers of the stream's own width: a perturbation of each state."""

    def __init__(self, width: int, cap: float) -> None:
        super().__init__()
        layers = [weight_norm(nn.Linear(width, width)) for _ in range(4)]
        self.layers = nn.Sequential(*(part for layer in layers[:3] for part in (layer, nn.ReLU())), layers[3])
        self.cap = cap

    def forward(self, states: Float[Tensor, "row width"]) -> Float[Tensor, "row width"]:
        """G(h), scaled down to `cap` times the norm of h where it is longer; as it is where `cap` is 0."""
        found: Tensor = self.layers(states)
        if not self.cap:
            return found
        length = found.norm(dim=1, keepdim=True).clamp(min=torch.finfo(found.dtype).tiny)
        share: Tensor = (self.cap * states.norm(dim=1, keepdim=True) / length).clamp(max=1)
        return found * share
