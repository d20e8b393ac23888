"""The trained model of one class: images in, anomaly maps and scores out.

The networks of the backbone give features of each patch, a `Member` for each network says how
anomalous that patch is, and the mean of what they say is the anomaly map.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
import torch.nn.functional as F
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from patchae.config import Training
from patchae.errors import DataError
from patchae.files import write_bytes, write_json
from patchae.images.learned import Learned, opened
from patchae.model import images as image_files
from patchae.model.backbone import Backbone
from patchae.model.member import Member
from patchae.model.pose import Pose, oddness, put_back, upright

FORMAT = "patchae.model/4"
WEIGHTS_FILE = "model.safetensors"
FACTS_FILE = "model.json"
_BEND = 4.0


@dataclass(frozen=True)
class Scored:
    """The verdict on one image."""

    score: float
    """Anomaly score, above 0: the highest point of the map, or how odd the part's pose is."""
    anomalous: bool
    """Whether the score lies above the model's threshold."""
    map: np.ndarray
    """Anomaly map (S, S), float32, in the units of the score; 0 where nothing was looked at."""


class PatchAE(nn.Module):
    """The model of one class.

    Attributes:
        settings: the training settings that made it.
        members: one for each network of the backbone.
        pose: how the class's parts lie; None where they lie as the camera sees them.
        white: value that counts as white in 16-bit files, see `patchae.model.images`.
        facts: everything about the training that is not a tensor; `threshold` among it.
        patch: side P of a patch in pixels.
    """

    looked_at: Tensor

    def __init__(self, settings: Training, backbone: Backbone) -> None:
        super().__init__()
        self.settings = settings
        self.pose: Pose | None = None
        self.white = image_files.WHITE
        self.facts: dict[str, Any] = {}
        self.backbone = backbone
        self.patch = min(settings.strides)
        self._widths = [sum(channels) for channels in backbone.channels]
        self.members = nn.ModuleList(Member(settings, width, self.patch) for width in self._widths)
        # Patches of the upright image (h, w), bool: all of them, unless the parts lie loose.
        side = settings.image_size // self.patch
        self.register_buffer("looked_at", torch.ones(side, side, dtype=torch.bool))

    @property
    def threshold(self) -> float:
        """Scores above it are alarms."""
        return float(self.facts["threshold"])

    @property
    def learned(self) -> Learned:
        """What the images that it learned from were like."""
        return Learned.parse(self.facts.get("images"))

    def check(self, source: Path | bytes, max_pixels: int | None = None) -> tuple[str, ...]:
        """Return what makes the score of an image file doubtful, without scoring it.

        Raises:
            DataError: it is no image, or none of a kind that the model learned from.
        """
        with opened(source) as image:
            return self.learned.check(image, self.white, max_pixels)

    @property
    def device(self) -> torch.device:
        """Where the model computes."""
        return self.looked_at.device

    def each(self) -> list[tuple[Member, slice]]:
        """The members, each with those of the raw features that it reads."""
        ends = itertools.accumulate(self._widths)
        return [
            (cast("Member", member), slice(end - width, end))
            for member, width, end in zip(self.members, self._widths, ends, strict=True)
        ]

    def raw(self, images: Tensor) -> Tensor:
        """Frozen features (B, H, W, C) at the finest stride, of upright images in 0..1.

        Those of one network after the other.
        """
        # A patch and its neighbours together: PatchCore's local awareness (Roth et al. 2022).
        with self._precision(images.device.type):
            found = self.backbone(images)
        levels = [
            F.avg_pool2d(level.float(), 3, stride=1, padding=1, count_include_pad=False)
            for level in found
        ]
        finest = levels[0].shape[-2:]
        levels = [
            level
            if level.shape[-2:] == finest
            else F.interpolate(level, size=finest, mode="bilinear", align_corners=False)
            for level in levels
        ]
        return torch.cat(levels, dim=1).permute(0, 2, 3, 1)

    def _precision(self, device: str) -> AbstractContextManager[Any]:
        """Where the networks may compute with 16 bits: most of the work, and robust to it."""
        asked = self.settings.precision
        if asked == "full" or (asked == "auto" and device != "cuda"):
            return nullcontext()
        return torch.autocast(device, torch.float16 if device == "cuda" else torch.bfloat16)

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Scores (B,) and anomaly maps (B, H, W) at the finest stride, of uint8 (B, 3, S, S)."""
        seen = images.float() / 255
        if self.pose is None:
            maps = self._anomalies(seen)
            return maps.flatten(1).amax(dim=1), maps
        turned, found = upright(seen, self.pose)
        maps = self._anomalies(turned) * self.looked_at
        scores = torch.maximum(maps.flatten(1).amax(dim=1), oddness(found, self.pose))
        side = images.shape[-1] // self.patch
        return scores, put_back(maps, found, self.pose, side, self.patch)

    def _anomalies(self, images: Tensor) -> Tensor:
        """Anomaly maps (B, h, w) at the finest stride, of upright images in 0..1."""
        raw = self.raw(images)
        patches = raw.flatten(0, 2)
        said = torch.stack([member(patches[:, read]) for member, read in self.each()])
        maps = said.mean(dim=0).view(raw.shape[:3])
        # One patch alone may be noise; a defect moves its neighbours too.
        smooth = F.avg_pool2d(maps[:, None], 3, stride=1, padding=1, count_include_pad=False)[:, 0]
        # Keeps the order; an ordinary patch is near 0, the most unusual normal ones near 1.
        return F.softplus(smooth, beta=_BEND)

    def score(self, sources: Sequence[image_files.ImageLike], batch_size: int = 8) -> list[Scored]:
        """Score images, given as files or arrays.

        Raises:
            DataError: one of them is not an image, or a file has too many pixels.
        """
        size, threshold, results = self.settings.image_size, self.threshold, []
        most = self.learned.max_pixels
        for start in range(0, len(sources), batch_size):
            some = sources[start : start + batch_size]
            batch = image_files.load_batch(some, size, self.white, most)
            with torch.inference_mode():
                peaks, maps = self(batch.to(self.device))
            full = F.interpolate(
                maps[:, None], size=(size, size), mode="bilinear", align_corners=False
            )[:, 0]
            for peak, map_ in zip(peaks.tolist(), full.cpu().numpy(), strict=True):
                results.append(Scored(peak, peak > threshold, map_))
        return results

    def save(self, folder: Path) -> None:
        """Write `model.safetensors` and `model.json`. Equal models give equal bytes."""
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {key: value.cpu().contiguous() for key, value in self.state_dict().items()}
        write_bytes(folder / WEIGHTS_FILE, save(tensors))  # save_file lets nobody else read it
        facts = {"format": FORMAT, "settings": self.settings.model_dump(mode="json")}
        pose = asdict(self.pose) if self.pose else None
        write_json(folder / FACTS_FILE, {**facts, "pose": pose, "white": self.white, **self.facts})

    @classmethod
    def load(cls, folder: Path, device: str = "cpu") -> PatchAE:
        """Read what `save` wrote. Nothing is unpickled.

        Raises:
            DataError: the folder holds no model, or one of another format.
        """
        try:
            facts = dict(json.loads((folder / FACTS_FILE).read_text()))
            format_ = facts.pop("format")
            if format_ != FORMAT:  # before anything else of it is looked at
                raise DataError(
                    f"a model of format {format_}, expected {FORMAT}",
                    where=str(folder),
                    mend="use the version of patchae that trained it, or train the class again",
                )
            settings = Training(**facts.pop("settings"))
            pose, white = facts.pop("pose"), int(facts.pop("white"))
            tensors = load_file(folder / WEIGHTS_FILE)
            model = cls(settings, Backbone(settings.backbone, settings.strides))
            # These have a size that training decides.
            model.looked_at = torch.empty_like(tensors["looked_at"])
            for number, (member, _) in enumerate(model.each()):
                member.memory = torch.empty_like(tensors[f"members.{number}.memory"])
                member.spread = torch.empty_like(tensors[f"members.{number}.spread"])
            model.pose = Pose(**pose) if pose else None
            model.load_state_dict(tensors)  # RuntimeError: tensors of another network
        except (OSError, ValueError, KeyError, TypeError, SafetensorError, RuntimeError) as error:
            reason = str(error).partition("\n")[0]  # torch lists every tensor
            raise DataError(
                f"not a model: {reason}", where=str(folder), mend="train the class again"
            ) from None
        model.facts, model.white = facts, white
        return model.to(device).eval()
