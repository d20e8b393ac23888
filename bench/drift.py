"""How soon looks for drift see what changed, and how often they see what did not.

    make bench-drift DATA=folder

For each class of a folder in MVTec AD layout a model is trained (preset `fast`) on three fifths of
train/good, which is also the reference. The images of a day are drawn from the other two fifths and
from test/good. A change begins within a day, after any of its images, and stays; each day's images
are looked at once, as `patchae monitor` does, until drift is confirmed. A look has the level that a
line of 10 classes with one false alarm a year leaves it. Writes bench/results/drift.json and
docs/benchmarks.md.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageChops, ImageFilter

from bench.judge import class_names
from bench.pages import DRIFT, PAGE, render
from bench.product_pages import of_drift
from patchae.config import PRESETS, DriftPolicy, Training
from patchae.dataset.layout import image_files
from patchae.drift.compare import compare, confirmed, level
from patchae.drift.finding import Reading
from patchae.drift.numbers import numbers_of
from patchae.drift.yardstick import yardstick
from patchae.files import sha256_file, write_json
from patchae.model.split import calibration_split
from patchae.model.training import train

if TYPE_CHECKING:
    from numpy.typing import NDArray

Values = dict[str, "NDArray[np.float64]"]
CLASSES, DAYS, DRAWS = 10, 1_000, 200
DAY = DriftPolicy().least_images
"""Images of a day: the fewest that are looked at."""
LOOKS = 20
"""After which a change that was not confirmed counts as missed."""
LEARNED = 0.6
LEVEL = level(1.0, CLASSES)


def darker(image: Image.Image) -> Image.Image:
    """Light 10 % down."""
    return image.point([round(0.9 * value) for value in range(256)] * len(image.getbands()))


def blurred(image: Image.Image) -> Image.Image:
    """A slight blur: a deviation of 0.3 % of the side, one pixel of 320."""
    return image.filter(ImageFilter.GaussianBlur(image.width * 0.003))


def shifted(image: Image.Image) -> Image.Image:
    """Moved by 5 % to the right; what leaves on one side is repeated on the other."""
    step = round(0.05 * image.width)
    moved = ImageChops.offset(image, step, 0)
    edge = image.crop((0, 0, 1, image.height)).resize((step, image.height))
    moved.paste(edge, (0, 0))
    return moved


def recoloured(image: Image.Image) -> Image.Image:
    """Another camera's colour: red 4 % up, blue 4 % down."""
    gains = (1.04, 1.0, 0.96)
    table = [min(255, round(gain * value)) for gain in gains for value in range(256)]
    return image.convert("RGB").point(table)


def variant(image: Image.Image) -> Image.Image:
    """A new variant of the product: a mark of 8 % of the side, always at the same place."""
    made = image.copy()
    side = image.width
    left, top = round(0.46 * side), round(0.3 * side)
    box = (left, top, left + round(0.08 * side), top + round(0.08 * side))
    patch = image.crop(box).point([round(0.6 * v) for v in range(256)] * len(image.getbands()))
    made.paste(patch, box[:2])
    return made


CHANGES: dict[str, Callable[[Image.Image], Image.Image]] = {
    "light 10 % down": darker,
    "slight blur": blurred,
    "shift of 5 %": shifted,
    "another camera's colour": recoloured,
    "a new variant": variant,
}


def measured(data: Path, name: str) -> dict[str, Any]:
    """Looks at one class."""
    files = image_files(data / name / "train" / "good")
    order = np.random.default_rng(0).permutation(len(files))
    count = round(LEARNED * len(files))
    learned = sorted(files[i] for i in order[:count])
    pool = [files[i] for i in sorted(order[count:])] + image_files(data / name / "test" / "good")
    digests: list[str] = [sha256_file(path) for path in learned]
    settings = Training(**PRESETS["fast"])
    model = train(learned, digests, settings)
    by_digest = np.argsort(digests)
    reference, whole, _ = numbers_of(model, [learned[i] for i in by_digest])
    calibration = np.array(calibration_split(digests, settings.calibration_share, settings.seed))[
        by_digest
    ]
    stick, others = yardstick(reference)
    values = stick.measure(reference.taken(others))
    values["score"] = reference.scores[calibration[whole]]
    allowed = float(model.facts["false_alarm_interval"][1])

    def look(recent: Values) -> tuple[Reading, ...]:
        return compare(
            values,
            recent,
            alarms=(allowed, recent["score"] > model.threshold),
            level=LEVEL,
            smallest_effect=DriftPolicy().smallest_effect,
        )

    plain = stick.measure(numbers_of(model, pool)[0])
    found: dict[str, Any] = {"images": len(files), "pool": len(pool), "reference": len(others)}
    random = np.random.default_rng(1)
    once, twice, before = 0, 0, None
    for _ in range(DAYS):
        now = look(_drawn(plain, DAY, random))
        once += any(one.drifted for one in now)
        twice += bool(confirmed(now, before, LEVEL))
        before = now
    found["unchanged"] = {"days": DAYS, "seen": once, "confirmed": twice}
    found["changes"] = {}
    for change, make in CHANGES.items():
        with tempfile.TemporaryDirectory() as folder:
            changed = stick.measure(numbers_of(model, _made(pool, make, Path(folder)))[0])
        after = [_until_confirmed(look, plain, changed, random) for _ in range(DRAWS)]
        found["changes"][change] = {
            "seen": _typical([seen for seen, _ in after]),
            "confirmed": _typical([late for _, late in after]),
            "missed": sum(late > LOOKS * DAY for _, late in after) / DRAWS,
        }
    return found


def _typical(images: list[int]) -> list[int]:
    """Median, and what is enough in 95 % of draws."""
    return [int(np.quantile(images, share, method="higher")) for share in (0.5, 0.95)]


def _until_confirmed(
    look: Callable[[Values], tuple[Reading, ...]],
    plain: Values,
    changed: Values,
    random: np.random.Generator,
) -> tuple[int, int]:
    """After how many changed images drift is seen, and confirmed; if never, more than there are."""
    begins = int(random.integers(1, DAY + 1))
    mixed = {
        name: np.concatenate([series[: DAY - begins], later[:begins]])
        for (name, series), later in zip(
            _drawn(plain, DAY, random).items(), _drawn(changed, DAY, random).values(), strict=True
        )
    }
    before = look(_drawn(plain, DAY, random))
    seen, never = None, (LOOKS + 1) * DAY
    for number in range(LOOKS):
        shown = begins + number * DAY
        now = look(_drawn(changed, DAY, random) if number else mixed)
        if seen is None and any(one.drifted for one in now):
            seen = shown
        if confirmed(now, before, LEVEL):
            return seen or shown, shown
        before = now
    return seen or never, never


def _drawn(values: Values, count: int, random: np.random.Generator) -> Values:
    """The images of a day: each at most once."""
    some = random.choice(len(values["score"]), count, replace=False)
    return {name: series[some] for name, series in values.items()}


def _made(pool: list[Path], make: Callable[[Image.Image], Image.Image], folder: Path) -> list[Path]:
    made = []
    for number, source in enumerate(pool):
        with Image.open(source) as image:
            target = folder / f"{number:04d}.png"
            make(image if image.mode in ("L", "RGB") else image.convert("RGB")).save(target)
        made.append(target)
    return made


def main(arguments: list[str] | None = None) -> int:
    """Look at every class, write after each, render; 0, or 2 for misuse."""
    asked = _parser().parse_args(arguments)
    names = class_names(asked.data) if asked.data else []
    if not names:
        print("make bench-drift DATA=folder in MVTec AD layout", file=sys.stderr)
        return 2
    content: dict[str, Any] = {
        "level": LEVEL,
        "day": DAY,
        "draws": DRAWS,
        "classes": {},
    }
    for name in names:
        content["classes"][name] = measured(asked.data, name)
        print(name, content["classes"][name], flush=True)
        write_json(asked.results, content)
    render(page=asked.page, drift=asked.results)
    print(of_drift(asked.results))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make bench-drift", description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    add = parser.add_argument
    add("data", nargs="?", type=Path, help="folder in MVTec AD layout")
    add("--results", type=Path, default=DRIFT, help="file to write")
    add("--page", type=Path, default=PAGE, help="page to render into")
    return parser


if __name__ == "__main__":
    sys.exit(main())
