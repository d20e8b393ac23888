"""Which good training images are learned and which set the threshold.

The split follows content, not names or order: a renamed file stays where it was, and with each
image that comes or goes at most one other changes its side.
"""

from __future__ import annotations

from collections.abc import Sequence

from patchae.files import sha256_bytes


def calibration_split(digests: Sequence[str], share: float, seed: int) -> list[bool]:
    """For each image digest: does it calibrate (True) or is it learned (False)?

    The round(share * n) images, at least 1 and at most n - 1, whose hash of seed and digest is
    smallest calibrate. Equal digests fall on the same side only up to that count; data sets with
    identical images should be cleaned first.
    """
    count = min(max(1, round(share * len(digests))), len(digests) - 1)
    order = sorted(
        range(len(digests)), key=lambda i: (sha256_bytes(f"{seed}:{digests[i]}".encode()), i)
    )
    chosen = set(order[:count])
    return [index in chosen for index in range(len(digests))]
