"""The heads: they learn in which direction a difference matters."""

from __future__ import annotations

import pytest
import torch
from torch import Generator, Tensor

from patchae.model.heads import EPOCHS, Compared, Head, compare, fit
from patchae.model.metrics import auroc


def _normal(count: int, length: int, seed: int) -> Tensor:
    return torch.randn((count, length), generator=Generator().manual_seed(seed))


def test_patches_are_compared_with_their_nearest() -> None:
    memory = torch.tensor([[0.0, 0.0], [3.0, 4.0], [10.0, 0.0]])
    places = torch.arange(3.0)  # as the spread, they tell which were taken
    near = compare(torch.tensor([[0.0, 1.0], [9.0, 0.0]]), memory, places, 2)
    assert near.spread.tolist() == [[0, 1], [2, 1]]
    torch.testing.assert_close(near.difference, torch.tensor([[0.0, 1.0], [-1.0, 0.0]]))
    torch.testing.assert_close(near.distances[:, 0], torch.tensor([1.0, 1.0]))


def test_a_small_memory_answers_with_what_it_has() -> None:
    near = compare(_normal(4, 3, 0), _normal(2, 3, 1), torch.ones(2), 5)
    assert near.distances.shape == near.spread.shape == (4, 5)
    assert torch.equal(near.distances[:, 1], near.distances[:, 4])


def _learned(context: bool, seed: int = 0) -> tuple[Head, Compared, Tensor]:
    """Harmless: large moves along the first axis. Defects: smaller ones along the second."""
    memory = _normal(200, 6, 1) * 0.1
    harmless, defects = _normal(400, 6, 2) * 0.1, _normal(400, 6, 3) * 0.1
    harmless[:, 0] += 3 * _normal(400, 1, 4)[:, 0]
    defects[:, 1] += 1.0
    near = compare(torch.cat([harmless, defects]), memory, torch.ones(200), 3)
    labels = torch.arange(800) >= 400
    inputs = near.inputs(context)
    head = Head(inputs.shape[1])
    passes = list(fit(head, inputs, labels, Generator().manual_seed(seed)))
    assert passes == list(range(1, EPOCHS + 1))
    return head, near, labels


@pytest.mark.parametrize("context", [False, True])
def test_a_head_finds_the_direction_where_the_distance_does_not(context: bool) -> None:
    head, near, labels = _learned(context)
    with torch.inference_mode():
        logits = head(near.inputs(context))
    assert auroc(labels.int().tolist(), near.distances[:, 0].tolist()) < 0.6
    assert auroc(labels.int().tolist(), logits.tolist()) > 0.95


@pytest.mark.parametrize("global_seed", [0, 1])
def test_the_generator_alone_decides_what_is_learned(global_seed: int) -> None:
    one, _, _ = _learned(context=False)
    torch.manual_seed(global_seed)
    again, _, _ = _learned(context=False)
    other, _, _ = _learned(context=False, seed=9)
    for key, value in one.state_dict().items():
        assert torch.equal(value, again.state_dict()[key]), key
    assert not torch.equal(one.layers[0].weight, other.layers[0].weight)
