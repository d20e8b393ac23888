"""PNG files whose bytes depend on the pixels alone.

Different builds of zlib compress the same bytes differently, so the pixels are stored, not
compressed: RFC 1951 section 3.2.4 in a zlib stream (RFC 1950) in the chunks of the PNG standard.
"""

from __future__ import annotations

import struct
import zlib

import numpy as np
import numpy.typing as npt

_BLOCK = 0xFFFF  # bytes a stored block can hold
_GREY, _RGB = 0, 2


def encode(pixels: npt.NDArray[np.uint8]) -> bytes:
    """An 8-bit grey (H, W) or RGB (H, W, 3) picture as a PNG file."""
    height, width = pixels.shape[:2]
    color = _GREY if pixels.ndim == 2 else _RGB
    header = struct.pack(">IIBBBBB", width, height, 8, color, 0, 0, 0)
    rows = pixels.reshape(height, -1)
    unfiltered = np.pad(rows, ((0, 0), (1, 0)))  # each row opens with its filter: 0, none
    return b"".join(
        (
            b"\x89PNG\r\n\x1a\n",
            _chunk(b"IHDR", header),
            _chunk(b"IDAT", _stored(unfiltered.tobytes())),
            _chunk(b"IEND", b""),
        )
    )


def _stored(content: bytes) -> bytes:
    stream = [b"\x78\x01"]
    for start in range(0, len(content), _BLOCK):
        block = content[start : start + _BLOCK]
        last = start + _BLOCK >= len(content)
        stream += [struct.pack("<BHH", last, len(block), len(block) ^ 0xFFFF), block]
    return b"".join((*stream, struct.pack(">I", zlib.adler32(content))))


def _chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
