"""What a training runs on: machine, device and packages; the packages as a CycloneDX list, too.

CycloneDX is the component list that supply-chain tools read (ECMA-424). The list has no serial
number and no time of its own: equal packages give an equal file.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

from patchae.files import sha256_bytes

COMPONENTS_FILE = "components.json"


def packages() -> dict[str, str]:
    """Installed Python packages, by their normal name (PEP 503), with their versions; sorted."""
    from packaging.utils import canonicalize_name

    found: dict[str, str] = {}
    for one in distributions():
        # The first of a name is the one that imports find; a damaged installation has no name.
        if name := one.metadata["Name"]:
            found.setdefault(canonicalize_name(name), one.version)
    return dict(sorted(found.items()))


def components(installed: Mapping[str, str]) -> str:
    """Packages as a CycloneDX 1.6 document in JSON, the same text for the same packages."""
    from cyclonedx.model.bom import Bom
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.output.json import JsonV1Dot6
    from packageurl import PackageURL

    bom = Bom()
    for name, version in installed.items():
        url = PackageURL(type="pypi", name=name, version=version)
        bom.components.add(
            Component(
                type=ComponentType.LIBRARY,
                name=name,
                version=version,
                purl=url,
                bom_ref=url.to_string(),
            )
        )
    # Both would be drawn and taken anew with every call.
    bom.serial_number = bom.metadata.timestamp = None  # type: ignore[assignment]
    return JsonV1Dot6(bom).output_as_string(indent=2) + "\n"


def environment_of(device: str) -> tuple[dict[str, Any], str]:
    """The part `environment` of a lineage record, here and now, and the CycloneDX list with it.

    Args:
        device: what torch works on, `cpu` or `cuda`.
    """
    import torch

    installed = packages()
    listed = components(installed)
    on_gpu = device.startswith("cuda")
    return {
        "python": platform.python_version(),
        "platform": platform.platform(),
        "device": device,
        "device_name": torch.cuda.get_device_name() if on_gpu else _processor(),
        "driver": f"CUDA {torch.version.cuda}" if on_gpu else None,
        "threads": torch.get_num_threads(),
        "packages": installed,
        "components_sha256": sha256_bytes(listed.encode()),
    }, listed


def _processor() -> str:
    # Python knows the name on Windows and macOS; Linux keeps it here.
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return (names[0] if names else "") or platform.processor() or platform.machine() or "unknown"
