"""Two heads that tell a defect from a harmless difference.

A nearest-neighbour distance says how far a patch lies from all normal ones, not in which direction.
The difference to its nearest normal patch says both, and artificial defects show which directions
matter. A head of this kind works on parts and defects that it never saw, since it looks at
differences and not at appearances.

    difference   difference to the nearest normal patch, its absolute value, log distances
    context      the same, and the patch itself: what is harmless here may be a defect there

They err differently, so both are used. The idea is ours; learning a discriminator on features of
artificial anomalies is known from SimpleNet (Liu et al. 2023, arXiv 2303.15140).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Generator, Tensor, nn

from patchae.model.memory import nearest_vectors
from patchae.model.network import initialize

EPOCHS = 10
"""Passes of `fit` over its inputs."""
_HIDDEN = 128
_BATCH = 1024
_RATE = 3e-3
_DROPPED = 0.1


@dataclass(frozen=True)
class Compared:
    """Patches beside their nearest normal ones."""

    vectors: Tensor
    """Whitened patch vectors (Q, V)."""
    difference: Tensor
    """Each minus its nearest normal one (Q, V)."""
    distances: Tensor
    """To the k nearest normal ones (Q, k), nearest first."""
    spread: Tensor
    """How widely the memory scatters there (Q, k)."""

    def inputs(self, context: bool) -> Tensor:
        """What a head reads: (Q, 2 V + k), or with context (Q, 3 V + k)."""
        logs = self.distances.clamp(min=1e-6).log()
        parts = [self.difference, self.difference.abs(), logs]
        return torch.cat([self.vectors, *parts] if context else parts, dim=1)

    @staticmethod
    def joined(parts: list[Compared]) -> Compared:
        """Several one after the other."""
        return Compared(
            torch.cat([part.vectors for part in parts]),
            torch.cat([part.difference for part in parts]),
            torch.cat([part.distances for part in parts]),
            torch.cat([part.spread for part in parts]),
        )


def compare(vectors: Tensor, memory: Tensor, spread: Tensor, neighbours: int) -> Compared:
    """Whitened patches (Q, V) beside the nearest of a memory (N, V) with its spread (N,).

    Where the memory holds fewer vectors than asked for, the farthest is taken again.
    """
    distances, index = nearest_vectors(vectors, memory, min(neighbours, len(memory)))
    missing = neighbours - distances.shape[1]
    if missing > 0:
        distances = torch.cat([distances, distances[:, -1:].expand(-1, missing)], dim=1)
        index = torch.cat([index, index[:, -1:].expand(-1, missing)], dim=1)
    return Compared(vectors, vectors - memory[index[:, 0]], distances, spread[index])


class Head(nn.Module):
    """Logit of a patch being defective.

    Args:
        width: number of inputs.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, width: int) -> None:
        super().__init__()
        self.register_buffer("mean", torch.zeros(width))
        self.register_buffer("std", torch.ones(width))
        self.layers = nn.ModuleList(
            [nn.Linear(width, _HIDDEN), nn.Linear(_HIDDEN, _HIDDEN), nn.Linear(_HIDDEN, 1)]
        )

    def forward(self, inputs: Tensor, generator: Generator | None = None) -> Tensor:
        """Logits (Q,) of inputs (Q, width); a generator drops hidden values, as in training."""
        hidden = F.gelu(self.layers[0]((inputs - self.mean) / self.std))
        if generator is not None:
            kept = torch.rand(hidden.shape, generator=generator) >= _DROPPED
            hidden = hidden * kept.to(hidden.device) / (1 - _DROPPED)
        logits: Tensor = self.layers[2](F.gelu(self.layers[1](hidden)))
        return logits[:, 0]


def fit(head: Head, inputs: Tensor, defective: Tensor, generator: Generator) -> Iterator[int]:
    """Train a head on inputs (Q, width) and what they are (Q,), bool; both kinds weigh the same.

    Yields the number of each pass when it is done, 1 to `EPOCHS`.
    """
    head.mean, head.std = inputs.mean(0), inputs.std(0) + 1e-6
    initialize(head.to("cpu"), generator)
    head.to(inputs.device)
    labels = defective.float()
    weight = (1 - labels).sum() / labels.sum().clamp(min=1)
    optimizer = torch.optim.AdamW(head.parameters(), lr=_RATE, weight_decay=1e-2)
    steps = EPOCHS * math.ceil(len(inputs) / _BATCH)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, _RATE, total_steps=steps)
    for epoch in range(EPOCHS):
        for part in torch.split(torch.randperm(len(inputs), generator=generator), _BATCH):
            chosen = part.to(inputs.device)
            loss = F.binary_cross_entropy_with_logits(
                head(inputs[chosen], generator), labels[chosen], pos_weight=weight
            )
            optimizer.zero_grad(set_to_none=True)
            torch.autograd.backward(loss)
            optimizer.step()
            schedule.step()
        yield epoch + 1
