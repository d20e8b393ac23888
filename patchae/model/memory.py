"""The memory: vectors of normal patches, and how far another vector lies from them.

Distances are corrected for local density: where normal patches scatter widely (an imprint, a rough
surface) the same distance means less than where they lie close together. The idea is REB's (Lyu et
al., arXiv 2308.12577); the form here is a plain ratio.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHRINKAGE = 3.0
"""Share of the mean variance added to every direction before whitening."""
FLOOR = 0.1
"""Quantile of the spread under which all vectors count as equally dense.

`bench/choose.py` chose these two, on artificial defects in held-out train/good alone.
"""
_DENSITY_NEIGHBOURS = 5
_CHUNK = 512  # query vectors at a time: (512, 10 000) distances take 20 MB, which stays in cache


def choose(vectors: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """At most `size` of the vectors (N, D), drawn without replacement: (min(N, size), D)."""
    if len(vectors) <= size:
        return vectors
    picked = torch.randperm(len(vectors), generator=generator)[:size].sort().values
    return vectors[picked.to(vectors.device)]


def whitening(vectors: Tensor, shrinkage: float = SHRINKAGE) -> tuple[Tensor, Tensor]:
    """Mean (D,) and matrix (D, D) that give vectors (N, D) unit covariance: `(v - mean) @ matrix`.

    Channels of a network repeat one another, and a plain distance counts what they repeat many
    times. `shrinkage` adds that share of the mean variance to each direction, so that directions
    in which normal patches hardly move are not blown up to full size.
    """
    mean = vectors.double().mean(0)
    centred = vectors.double() - mean
    covariance = centred.T @ centred / max(1, len(vectors) - 1)
    variances, directions = torch.linalg.eigh(covariance)
    scale = (variances.clamp(min=0) + shrinkage * variances.mean() + 1e-12).rsqrt()
    return mean.float(), (directions * scale).float()


def density(memory: Tensor, floor: float = FLOOR) -> Tensor:
    """Mean distance (N,) of each memory vector to its nearest fellows; never 0."""
    neighbours = min(_DENSITY_NEIGHBOURS, len(memory) - 1)
    nearest, _ = nearest_vectors(memory, memory, neighbours + 1)
    spread = nearest[:, 1:].mean(dim=1)  # the nearest of all is the vector itself
    # A floor, since copies (a plain background) would make the smallest change an infinite one.
    return spread.clamp(min=spread.quantile(floor).clamp(min=1e-6))


def distances(queries: Tensor, memory: Tensor, spread: Tensor, neighbours: int) -> Tensor:
    """Density-corrected distance (Q,) of vectors (Q, D) to their nearest of memory (N, D)."""
    nearest, index = nearest_vectors(queries, memory, min(neighbours, len(memory)))
    return (nearest / spread[index]).mean(dim=1)


def nearest_vectors(queries: Tensor, memory: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Euclidean distances and indices (Q, count) of the nearest of memory (N, D), nearest first.

    |q - m|^2 = |q|^2 + |m|^2 - 2 q m: one matrix product, and |q|^2 moves no order, so it is added
    for the few that were chosen.
    """
    lengths = memory.square().sum(1)  # (N,)
    found, indices = [], []
    for chunk in torch.split(queries, _CHUNK):
        partial = torch.addmm(lengths, chunk, memory.T, alpha=-2)  # (chunk, N)
        best = partial.topk(count, dim=1, largest=False)
        found.append((best.values + chunk.square().sum(1, keepdim=True)).clamp(min=0).sqrt())
        indices.append(best.indices)
    return torch.cat(found), torch.cat(indices)
