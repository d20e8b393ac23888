"""The memory: vectors of normal patches, and how far another vector lies from them.

Distances are corrected for local density: where normal patches scatter widely (an imprint, a rough
surface) the same distance means less than where they lie close together. The idea is REB's (Lyu et
al., arXiv 2308.12577); the form here is a plain ratio.
"""

from __future__ import annotations

import torch
from torch import Tensor

SHRINKAGE = 0.1
"""Share of the mean variance added to every direction before whitening."""
FLOOR = 0.5
"""Quantile of the spread under which all vectors count as equally dense.

Both were chosen on damaged copies of held-out good training images, see docs/model.md.
"""
_DENSITY_NEIGHBOURS = 5
_ANY = 2**40
_BLOCK = 64
_CHUNK = 512  # query vectors at a time: (512, 10 000) distances take 20 MB, which stays in cache


def cover(vectors: Tensor, size: int, generator: torch.Generator) -> Tensor:
    """At most `size` of the vectors (N, D) that lie close to all of them: (min(N, size), D).

    A random choice spends itself on what is frequent, an empty background say. Here a first
    quarter is random; the others are drawn in proportion to how far they lie from it, as in
    k-means++ (Arthur and Vassilvitskii 2007) but in one round: seconds, where a greedy coreset
    takes a step for each vector.
    """
    if len(vectors) <= size:
        return vectors
    order = torch.randperm(len(vectors), generator=generator).to(vectors.device)
    first, rest = vectors[order[: size // 4]], vectors[order[size // 4 :]]
    distance = nearest_vectors(rest, first, 1)[0][:, 0].double().cpu() + 1e-9
    # The largest of u^(1/w) are a draw without replacement (Efraimidis and Spirakis 2006).
    chance = torch.rand(len(rest), generator=generator, dtype=torch.float64).log() / distance
    picked = chance.topk(size - len(first)).indices.sort().values
    return torch.cat([first, rest[picked.to(rest.device)]])


def whitening(vectors: Tensor, shrinkage: float = SHRINKAGE) -> tuple[Tensor, Tensor]:
    """Mean (D,) and matrix (D, D) that give vectors (N, D) unit covariance: `(v - mean) @ matrix`.

    First each channel is brought to unit variance, then each direction. Channels of a network
    repeat one another, and a plain distance counts what they repeat many times. `shrinkage` adds
    that share of the mean variance to each direction, so that directions in which normal patches
    hardly move are not blown up to full size.
    """
    mean = vectors.double().mean(0)
    centred = vectors.double() - mean
    deviation = centred.square().mean(0).sqrt()
    # A channel that hardly moves must not turn rounding noise into a signal.
    deviation = deviation.clamp(min=deviation.median() * 0.01 + 1e-6)
    centred /= deviation
    covariance = centred.T @ centred / max(1, len(vectors) - 1)
    variances, directions = torch.linalg.eigh(covariance)
    scale = (variances.clamp(min=0) + shrinkage * variances.mean() + 1e-12).rsqrt()
    return mean.float(), (directions * scale / deviation[:, None]).float()


def density(memory: Tensor, floor: float = FLOOR) -> Tensor:
    """Mean distance (N,) of each memory vector to its nearest fellows; never 0."""
    neighbours = min(_DENSITY_NEIGHBOURS, len(memory) - 1)
    nearest, _ = nearest_vectors(memory, memory, neighbours + 1)
    spread = nearest[:, 1:].mean(dim=1)  # the nearest of all is the vector itself
    # A floor, since copies (a plain background) would make the smallest change an infinite one.
    return spread.clamp(min=spread.quantile(floor).clamp(min=1e-6))


def corrected(distances: Tensor, spread: Tensor) -> Tensor:
    """Density-corrected distance (Q,) from those to the k nearest vectors, and their spread."""
    return (distances / spread).mean(dim=1)


def nearest_vectors(queries: Tensor, memory: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """Euclidean distances and indices (Q, count) of the nearest of memory (N, D), nearest first.

    |q - m|^2 = |q|^2 + |m|^2 - 2 q m: one matrix product, and |q|^2 moves no order, so it is added
    for the few that were chosen.
    """
    lengths = memory.square().sum(1)  # (N,)
    found, indices = [], []
    # An exported graph takes any number of images, so it cannot count its chunks.
    size = _ANY if torch.compiler.is_exporting() else _CHUNK
    for chunk in torch.split(queries, size):
        partial = torch.addmm(lengths, chunk, memory.T, alpha=-2)  # (chunk, N)
        values, index = _smallest(partial, count)
        found.append((values + chunk.square().sum(1, keepdim=True)).clamp(min=0).sqrt())
        indices.append(index)
    return torch.cat(found), torch.cat(indices)


def _smallest(values: Tensor, count: int) -> tuple[Tensor, Tensor]:
    """The smallest of each row of (Q, N) and where they are, (Q, count) each, smallest first.

    Choosing costs as much as the product before it, so blocks are asked for their smallest first:
    what is searched lies in the `count` blocks where that is least, or behind the last whole block.
    """
    blocks = values.shape[1] // _BLOCK
    if blocks < 4 * count or torch.compiler.is_exporting():
        return torch.topk(values, count, dim=1, largest=False)
    whole = values[:, : blocks * _BLOCK].unflatten(1, (blocks, _BLOCK))  # (Q, blocks, _BLOCK)
    likely = whole.amin(dim=2).topk(count, dim=1, largest=False).indices  # (Q, count)
    inside = whole.gather(1, likely[:, :, None].expand(-1, -1, _BLOCK)).flatten(1)
    candidates = torch.cat([inside, values[:, blocks * _BLOCK :]], dim=1)
    smallest, at = candidates.topk(count, dim=1, largest=False)
    block = likely.gather(1, (at // _BLOCK).clamp(max=count - 1))
    behind = (blocks - count) * _BLOCK + at  # for those that no whole block holds
    return smallest, torch.where(at < count * _BLOCK, block * _BLOCK + at % _BLOCK, behind)
