"""What names give away: masks among images, and good parts among defects."""

from __future__ import annotations

import pytest

from patchae.dataset.misfits import is_like_good, masks_among


@pytest.mark.parametrize(
    "mask",
    [
        "00001_GT.png", "00001_mask.png", "00001-label.bmp", "00001_Label.PNG", "00001 mask.jpg",
        "mask_00001.png", "00001.mask.png", "00001_ground_truth.png", "00001_seg.tif",
        "00001GT.png", "00001_mask_2.png",
    ],
)  # fmt: skip
def test_the_mask_of_a_neighbour_is_known_by_its_name(mask: str) -> None:
    image = "part/test/spot/00001.jpg"
    assert masks_among([image, f"part/test/spot/{mask}"]) == {f"part/test/spot/{mask}"}
    # Alone, or in another folder, it may be the photo of whatever is called so.
    assert not masks_among([f"part/test/spot/{mask}"])
    assert not masks_among([image, f"part/test/hole/{mask}"])


def test_images_may_say_that_they_are_ones() -> None:
    paths = [
        "test/spot/img_1.png",
        "test/spot/mask_1.png",
        "test/spot/2_rgb.png",
        "test/spot/2_gt.png",
    ]
    assert masks_among(paths) == {"test/spot/mask_1.png", "test/spot/2_gt.png"}
    assert not masks_among(["test/spot/image.png", "test/spot/img_2.png", "test/spot/label.png"])


def test_a_folder_of_masks_is_known_by_its_name() -> None:
    images = ["test/spot/1.png", "test/label/1.png", "test/good/1.png", "test/label_torn/1.png"]
    masks = ["test/spot_mask/1.png", "test/masks/1.png", "test/Ground Truth/1.png", "test/gt/2.png"]
    assert masks_among([*images, *masks]) == set(masks)


@pytest.mark.parametrize(
    "kind",
    ["ok", "OK", "O.K.", "Okay", "pass", "normal", "gut", "Gut-Teile", "i.O.", "良品", "正常",
     "ok_2", "not_defective", "Good", "no defect", "ＯＫ"],
)  # fmt: skip
def test_good_parts_have_many_names(kind: str) -> None:
    assert is_like_good(kind)


@pytest.mark.parametrize(
    "kind", ["good", "nok", "not_ok", "NG", "broken", "bad", "n.i.O.", "不良", "不合格", "abnormal"]
)
def test_a_defect_is_not_taken_for_a_good_part(kind: str) -> None:
    assert not is_like_good(kind)
