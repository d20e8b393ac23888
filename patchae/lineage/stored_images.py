"""The link `data_version`: what the manifest lists is what the store of the images holds.

Whether an object is there is asked of every one. Whether its content is still the one that it is
named after only reading it shows: all are read in a deep audit, else a sample of them.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchae.lineage.material import Broken, Facts, reachable, some
from patchae.types import DataVersion

SAMPLE = 20
"""Images and masks that are read when the audit is not a deep one."""


def data_version(facts: Facts) -> str:
    """The data version holds exactly the images of the manifest, and the store holds them all."""
    version = DataVersion(facts.record.data.version)
    listed, sha256, images, masks = _listed(facts, version)
    needed = sorted({*images, *masks})
    present = reachable(facts.material.stored, "the store of the images")(
        {listed[path] for path in needed}
    )
    gone = [path for path in needed if listed[path] not in present]
    if gone:
        raise Broken(f"{some(gone)}: no longer in the store of the images")
    chosen = needed if facts.material.deep else sample(version, needed)
    paths = {listed[path]: path for path in reversed(chosen)}
    known = {name: sha256[path] for name, path in paths.items()}
    read = reachable(facts.material.states, "the store of the images")
    states = read([version, *sorted(paths)], known)
    flawed = [
        f"{paths.get(name, f'the list of data version {version}')}: {state}"
        for name, state in states.items()
        if state != "whole"
    ]
    if flawed:
        raise Broken(f"{some(flawed)} in the store of the images")
    objects = len({listed[path] for path in needed})
    return (
        f"{version}: {len(images)} images and {len(masks)} masks, all stored;"
        f" {len(paths)} of {objects} objects and the list of the version were read again"
    )


def sample(version: DataVersion, paths: Sequence[str]) -> list[str]:
    """At most `SAMPLE` of some paths, evenly spread; the same ones whenever it is asked again.

    Which ones depends on the version, so that over many versions all places have their turn.
    """
    count = min(SAMPLE, len(paths))
    first = int(version[:8], 16)
    return [paths[(first + number * len(paths) // count) % len(paths)] for number in range(count)]


def _listed(
    facts: Facts, version: DataVersion
) -> tuple[dict[str, str], dict[str, str], list[str], list[str]]:
    """Files of the version with their md5s; the sha256 of images and masks of the manifest, and
    their paths."""
    from patchae.dataset.layout import is_image_path

    rows = facts.manifest
    listed = dict(reachable(facts.material.listing, "the data version")(version))
    known = dict(zip(rows["path"], rows["md5"], strict=True))
    pairs = zip(rows["mask"], rows["mask_sha256"], strict=True)
    masked = {mask: sha256 for mask, sha256 in pairs if isinstance(mask, str)}
    masks = list(masked)
    sha256 = {**dict(zip(rows["path"], rows["sha256"], strict=True)), **masked}
    for path, md5 in known.items():
        if path not in listed:
            raise Broken(f"{path}: not in data version {version}")
        if listed[path] != md5:
            raise Broken(f"{path}: data version {version} holds another content")
    for mask in masks:
        if mask not in listed:
            raise Broken(f"{mask}: not in data version {version}")
    unknown = [
        path
        for path in listed
        if is_image_path(path, facts.record.class_name) and path not in known
    ]
    if unknown:
        raise Broken(f"{some(sorted(unknown))}: in data version {version}, not in the manifest")
    one_of: dict[str, str] = {}
    for path, digest in sha256.items():
        if one_of.setdefault(listed[path], digest) != digest:
            raise Broken(f"{path}: data version {version} holds another image under its md5")
    return listed, sha256, list(known), masks
