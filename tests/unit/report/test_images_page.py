"""The page of what validation found: every finding with its images, from one file alone."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from patchae.project import Project
from patchae.report.images_page import images_page, write_images_page
from tests.integration.validation.gallery import GALLERY, HOLE, TRAIN, sound
from tests.integration.validation.test_gallery import FIRST, checked


@pytest.fixture
def page(project: Project) -> str:
    """The page of a class with an error, a warning and a name that needs escaping."""
    folder = project.data / "bolt"
    sound(folder)
    (folder / TRAIN).rename(folder / "train" / "good" / "<b>&.png")
    for damage in ("a copy that stopped half-way", "notes of a person"):
        GALLERY[damage].damage(folder)
    GALLERY["a test image among the training images"].damage(folder)
    (folder / HOLE).rename(folder / "test" / "hole" / "<i>.webp")
    record = checked(folder)
    path = write_images_page(project, "caps", FIRST, [record], {"nut": "has <no> folder"})
    assert path == images_page(project, "caps")
    return path.read_text(encoding="utf-8")


class Tags(HTMLParser):
    """Counts tags, and keeps what they load."""

    def __init__(self) -> None:
        super().__init__()
        self.opened: list[str] = []
        self.sources: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Of the parser."""
        self.opened.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]


def test_every_finding_is_there_with_its_images(page: str) -> None:
    for code in ("decodable", "no_leak", "known_files", "masks_have_images"):
        assert f"<code>{code}</code>" in page
    assert "bolt/test/good/003.png" in page
    assert page.count("data:image/jpeg;base64,") >= 2
    assert "nothing to see" in page, "a damaged file has no picture"
    assert "has &lt;no&gt; folder" in page


def test_names_are_escaped_and_nothing_is_loaded(page: str) -> None:
    tags = Tags()
    tags.feed(page)
    assert not {"script", "i", "iframe"} & set(tags.opened)
    assert all(re.match(r"data:|#", source) for source in tags.sources)
    assert "&lt;i&gt;.webp" in page


def test_a_sound_class_is_said_to_be_sound(project: Project) -> None:
    sound(project.data / "bolt")
    record = checked(project.data / "bolt")
    path = write_images_page(project, "caps", FIRST, [record], {})
    text = path.read_text()
    assert f"All {len(record.checks)} checks passed." in text
    before = path.read_bytes()
    assert write_images_page(project, "caps", FIRST, [record], {}).read_bytes() == before


def test_thumbnails_are_small(page: str, project: Project) -> None:
    assert len(page) < 200_000
    assert Path(images_page(project, "caps")).parent.name == "caps"
