"""The frozen backbone: its packaged weights are the original ones, and they stay."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch
from huggingface_hub import constants as hub

from patchae.errors import ConfigError, StoreUnreachable
from patchae.model.backbone import (
    Backbone,
    Weights,
    _packaged_file,
    features_of,
    load_weights,
    weights_digest,
)

LITE = "tf_efficientnet_lite0"
PUBLISHED = "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"


@pytest.fixture(scope="module")
def weights() -> Weights:
    """The packaged weights of the default network."""
    return load_weights(LITE)


def test_the_packaged_weights_are_the_published_ones(weights: Weights) -> None:
    assert weights.sha256 == weights_digest(LITE) == PUBLISHED


def test_renamed_weights_are_the_packaged_ones_in_their_order(weights: Weights) -> None:
    file = _packaged_file(LITE)
    assert file is not None
    theirs = torch.load(file, weights_only=True)
    ours = weights.states[0]
    assert len(ours) == len(theirs)
    for (their_key, original), (key, value) in zip(theirs.items(), ours.items(), strict=True):
        assert torch.equal(original, value)
        # The classifier and the stem have one name on both sides, wherever they stand.
        assert key.endswith(their_key.rsplit(".", 1)[-1])


def test_cut_features_are_those_of_the_whole_network(weights: Weights) -> None:
    whole = timm.create_model(LITE, pretrained=False)
    whole.load_state_dict(weights.states[0])  # strict: every key of the classifier too
    whole.eval()
    backbone = Backbone(LITE, (8, 16), weights)
    images = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        ours = backbone(images)
        # Lite networks were trained on (255 x - 127) / 128.
        every = whole.forward_intermediates(
            (255 * images - 127) / 128, intermediates_only=True, stop_early=False
        )
    for feature, stride, channels in zip(ours, (8, 16), (40, 112), strict=True):
        assert feature.shape == (2, channels, 64 // stride, 64 // stride)
        theirs = next(f for f in every if f.shape == feature.shape)
        torch.testing.assert_close(feature, theirs, rtol=1e-4, atol=1e-4)


def test_frozen_means_frozen(weights: Weights) -> None:
    backbone = Backbone(LITE, (8,), weights)
    before = {key: value.clone() for key, value in backbone.state_dict().items()}
    holder = torch.nn.Sequential(backbone).train()
    assert not any(module.training for module in backbone.modules())
    holder(torch.rand((4, 3, 64, 64)))
    assert not any(parameter.requires_grad for parameter in backbone.parameters())
    for key, value in backbone.state_dict().items():
        assert torch.equal(value, before[key]), f"{key} moved"


def test_networks_joined_by_plus_lie_side_by_side(weights: Weights) -> None:
    joined = f"{LITE}+tf_efficientnet_lite2"
    both = load_weights(joined)
    assert both.sha256 == weights_digest(joined)
    assert both.sha256 not in {weights.sha256, weights_digest("tf_efficientnet_lite2")}
    backbone = Backbone(joined, (8, 16), both)
    images = torch.rand((2, 3, 64, 64), generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        levels = backbone(images)
        first = Backbone(LITE, (8, 16), weights)(images)
    found = [level.shape[1] for level in levels]
    assert found == [count for network in backbone.channels for count in network]
    assert len(levels) == 4
    for level, alone in zip(levels, first, strict=False):
        assert torch.equal(level, alone)


@pytest.mark.parametrize(
    ("name", "strides", "known"),
    [(LITE, (8, 64), "[2, 4, 8, 16, 32]"), ("vit_tiny_patch16_224", (8, 16), "[16, 16,")],
)
def test_a_stride_that_the_network_lacks_is_a_config_error(
    name: str, strides: tuple[int, ...], known: str
) -> None:
    lacking = next(stride for stride in strides if str(stride) not in known)
    message = rf"training\.strides: {name} has no features of stride {lacking}"
    with pytest.raises(ConfigError, match=message) as caught:
        Backbone(name, strides)
    assert known in str(caught.value.mend)


def test_weights_of_another_network_are_refused(weights: Weights) -> None:
    with pytest.raises(ConfigError, match="the weights of resnet18 lack"):
        Backbone("resnet18", (8,), weights)


def test_weights_that_cannot_be_downloaded_are_one_message(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The hub client read the environment at its import: HF_HUB_OFFLINE=1 and an empty HF_HOME.
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(StoreUnreachable, match="the weights of resnet18 cannot be had: ") as caught:
        weights_digest("resnet18")
    assert "tf_efficientnet_lite0" in str(caught.value.mend)
    assert "\n" not in caught.value.what


@pytest.mark.parametrize("sides", [(96, 96), (32, 320), (112, 64)])
def test_padding_inside_the_convolutions_changes_no_feature(
    weights: Weights, sides: tuple[int, int]
) -> None:
    images = torch.rand((2, 3, *sides), generator=torch.Generator().manual_seed(1))
    plain = features_of(LITE, (4, 8, 16), weights.states[0]).eval()
    backbone = Backbone(LITE, (4, 8, 16), weights)
    with torch.inference_mode():
        padded = plain((255 * images - 127) / 128)
        for ours, theirs in zip(backbone(images), padded, strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-3, atol=1e-4 * float(theirs.std()))
