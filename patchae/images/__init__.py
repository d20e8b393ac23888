"""One definition of an image and of a mask, for every command, flow and service.

names   which files are images by their names, and what becomes of all others
form    what an image file holds: mode, frames, orientation; what may be learned and scored
masks   which pixels a mask marks
"""

from patchae.images.form import (
    MAX_PIXELS,
    MODES,
    Form,
    form_of,
    mode_of,
    require_mode,
    require_usable,
)
from patchae.images.masks import load_mask, marked, read_marks
from patchae.images.names import (
    IMAGE_SUFFIXES,
    KINDS,
    SUFFIXES,
    UNREADABLE,
    Images,
    LeftOut,
    find_images,
    is_image_name,
    is_litter,
    left_out,
    suffix_of,
    summary,
    walked,
)

__all__ = [
    "IMAGE_SUFFIXES",
    "KINDS",
    "MAX_PIXELS",
    "MODES",
    "SUFFIXES",
    "UNREADABLE",
    "Form",
    "Images",
    "LeftOut",
    "find_images",
    "form_of",
    "is_image_name",
    "is_litter",
    "left_out",
    "load_mask",
    "marked",
    "mode_of",
    "read_marks",
    "require_mode",
    "require_usable",
    "suffix_of",
    "summary",
    "walked",
]
