"""What is otherwise now than a lineage record says, one thing at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from patchae.lineage.parts import Environment, Record

_MACHINE = ("python", "platform", "device", "device_name", "driver", "threads")


@dataclass(frozen=True)
class Difference:
    """One thing that is not as it was."""

    what: str
    """`package torch`, `setting epochs`, `device` ..."""
    recorded: str | None
    """None: there was none."""
    found: str | None
    """None: there is none."""

    def __str__(self) -> str:
        return f"{self.what}: {self.recorded or 'none'} then, {self.found or 'none'} now"


@dataclass(frozen=True)
class Rebuilt:
    """What a training told of itself."""

    weights_sha256: str
    """sha256 of the new `model.safetensors`."""
    scores: tuple[float, ...]
    """Of the test images in the order of the record; none where the weights are the same."""
    settings: Mapping[str, Any]
    """After the defaults of the patchae that trained."""
    backbone_sha256: str
    """Digest of the weights that the backbone started from."""
    source_sha256: str
    """Digest of the source that trained."""
    environment: Mapping[str, Any]
    """The part `environment` of a lineage record, here and now."""


def differences(record: Record, rebuilt: Rebuilt) -> tuple[Difference, ...]:
    """Everything that could make another model: code, settings, weights, machine, packages.

    Law: of a record and what was found in the very same place there are none.
    """
    return (
        *_pairs(
            {
                "source of patchae.model": record.source.model_source_sha256,
                "weights of the backbone": record.training.weights_sha256,
            },
            {
                "source of patchae.model": rebuilt.source_sha256,
                "weights of the backbone": rebuilt.backbone_sha256,
            },
        ),
        *_pairs(record.training.settings, rebuilt.settings, "setting "),
        *_environment(record.environment, rebuilt.environment),
    )


def _environment(recorded: Environment, found: Mapping[str, Any]) -> Iterator[Difference]:
    then = recorded.model_dump(mode="json")
    yield from _pairs(
        {name: then[name] for name in _MACHINE}, {name: found[name] for name in _MACHINE}
    )
    yield from _pairs(recorded.packages, found["packages"], "package ")


def _pairs(
    then: Mapping[str, Any], now: Mapping[str, Any], before: str = ""
) -> Iterator[Difference]:
    for name in dict.fromkeys((*then, *now)):
        if then.get(name) != now.get(name):
            yield Difference(f"{before}{name}", _said(then.get(name)), _said(now.get(name)))


def _said(value: Any) -> str | None:
    return None if value is None else str(value)
