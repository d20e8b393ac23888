"""Files with 16 bits per channel of several channels, which Pillow reads and does not write."""

from __future__ import annotations

import struct
import zlib

import numpy as np

_COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""Of a PNG, by the number of channels."""


def wide_png(pixels: np.ndarray) -> bytes:
    """A PNG of uint16 (H, W, C): grey, grey and alpha, RGB or RGBA."""
    height, width, channels = pixels.shape
    rows = pixels.astype(">u2").reshape(height, -1)
    content = zlib.compress(b"".join(b"\0" + row.tobytes() for row in rows))
    header = struct.pack(">IIBBBBB", width, height, 16, _COLOUR_TYPES[channels], 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", content), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        for kind, body in chunks
    )


def wide_tiff(pixels: np.ndarray, *, apart: bool) -> bytes:
    """A TIFF of uint16 (H, W, 3), whose channels lie side by side, or apart."""
    height, width, _ = pixels.shape
    strips = 3 if apart else 1
    lists = 8 + 2 + 12 * 10 + 4  # behind the directory: bits, offsets, lengths, and then pixels
    start, strip = lists + 6 + 24, pixels.size * 2 // strips
    entries = [
        (256, 1, width), (257, 1, height), (258, 3, lists), (259, 1, 1), (262, 1, 2),
        (273, strips, lists + 6 if apart else start), (277, 1, 3), (278, 1, height),
        (279, strips, lists + 18 if apart else strip), (284, 1, 2 if apart else 1),
    ]  # fmt: skip
    directory = b"".join(
        struct.pack("<HHII", tag, 3 if tag == 258 else 4, count, value)
        for tag, count, value in entries
    )
    offsets = (start, start + strip, start + 2 * strip)
    return b"".join(
        (
            struct.pack("<2sHIH", b"II", 42, 8, len(entries)),
            directory + bytes(4),
            struct.pack("<3H6I", 16, 16, 16, *offsets, strip, strip, strip),
            (np.moveaxis(pixels, 2, 0) if apart else pixels).astype("<u2").tobytes(),
        )
    )
