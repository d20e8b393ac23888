"""Whatever bytes a folder holds, reading it gives a row for each image and never an exception."""

from __future__ import annotations

from io import BytesIO

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from patchae.config import Validation
from patchae.dataset.manifest import class_digest, read_manifest
from patchae.dataset.picture import picture_of
from patchae.dataset.picture_cache import PictureCache, Task, picture_from, values_of
from patchae.dataset.validation.strays import strays
from patchae.dataset.validation.validate import validate
from patchae.errors import DataError
from patchae.types import DataVersion
from tests.support import examples


def _encoded(kind: str) -> bytes:
    random = np.random.default_rng(0)
    image = Image.fromarray(random.integers(0, 255, (24, 20, 3), np.uint8))
    content = BytesIO()
    image.save(content, kind)
    return content.getvalue()


VALID = {kind: _encoded(kind) for kind in ("PNG", "JPEG", "TIFF", "BMP", "GIF", "WEBP")}


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A valid file of some kind, with bytes changed, put in, left out or cut off."""
    content = bytearray(VALID[draw(st.sampled_from(sorted(VALID)))])
    for _ in range(draw(st.integers(0, 6))):
        at = draw(st.integers(0, max(0, len(content) - 1)))
        how = draw(st.sampled_from(["change", "insert", "remove", "cut"]))
        if how == "change" and content:
            content[at] = draw(st.integers(0, 255))
        elif how == "insert":
            content[at:at] = draw(st.binary(max_size=20))
        elif how == "remove":
            del content[at : at + draw(st.integers(1, 40))]
        else:
            del content[at:]
    return bytes(content)


FUZZ = settings(
    max_examples=examples(100),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)


@FUZZ
@given(st.one_of(damaged(), st.binary(max_size=400)), st.booleans())
def test_any_bytes_are_a_picture_or_a_problem(content: bytes, as_mask: bool) -> None:
    found = picture_of(content, as_mask=as_mask)
    assert found == picture_of(content, as_mask=as_mask)
    assert found.bytes == len(content)
    seen = found.problem is None
    assert (found.width > 0, found.mode != "") == (seen, seen)
    assert (found.looks is not None) == (seen and not as_mask)
    assert (found.coverage is not None) == (seen and as_mask)


@FUZZ
@given(damaged(), st.booleans())
def test_the_cache_gives_back_what_it_was_given(
    tmp_path_factory: pytest.TempPathFactory, content: bytes, as_mask: bool
) -> None:
    cache = PictureCache(tmp_path_factory.getbasetemp() / "fuzz.db")
    picture = picture_of(content, as_mask=as_mask)
    path = tmp_path_factory.getbasetemp() / "any" / "part.png"
    task: Task = (str(path), as_mask, (len(content), 1, 2))
    cache.add([(task, values_of(picture))])
    name = (picture.sha256, as_mask)
    assert picture_from(cache.known([name, ("0" * 64, as_mask)])[name]) == picture
    signature, values = cache.seen(path.parent)[str(path), as_mask]
    assert (signature, picture_from(values)) == (task[2], picture)
    cache.close()


NAME = st.text(
    st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=12
).filter(lambda name: name not in {".", ".."})


@settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(["train", "test", "ground_truth", "val"]),
            st.sampled_from(["good", "hole", "Good"]),
            NAME,
            st.sampled_from([".png", ".PNG", ".jpg", ".txt", ""]),
        ),
        st.one_of(damaged(), st.just(b"")),
        max_size=8,
    )
)
def test_any_folder_gives_a_manifest_and_a_record(
    tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, str, str, str], bytes]
) -> None:
    data = tmp_path_factory.mktemp("data")
    (data / "bolt").mkdir()
    for (split, kind, stem, suffix), content in files.items():
        path = data / "bolt" / split / kind / f"{stem}{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    try:
        manifest = read_manifest(data, "bolt", cache=data / "pictures.db")
    except DataError as error:
        assert "has no images" in str(error)  # noqa: PT017 - else there is a manifest
        return
    assert len(class_digest(manifest)) == 64
    used = [*manifest["path"], *manifest["mask"].dropna()]
    version = DataVersion("0" * 32 + ".dir")
    record = validate(manifest, "bolt", Validation(), version, strays=strays(data, "bolt", used))
    assert not record.passed, "so few images never suffice"
    assert record.checks[0].passed, record.checks[0].expected
