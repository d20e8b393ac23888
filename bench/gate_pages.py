"""From the results of `bench.gates` to tables and charts."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import Any

from bench.tables import table
from patchae.files import write_text
from patchae.report import svg

GATES = {"patchae": "patchae", "point": "point estimate", "threshold": "fixed threshold"}
WORSE, EQUAL = "gates-worse.svg", "gates-equal.svg"
"""Charts beside the page: a challenger worse by the margin; one just as good."""
SHOWN = 0.98
"""True AUROC of the champion in the charts."""


def of_gates(gates: Path) -> str:
    """The tables of `bench.gates`."""
    if not gates.exists():
        return "Not measured yet: `make bench-gates`.\n"
    found = json.loads(gates.read_text())
    return f"{_coverage(found)}\n\n{_beside(found)}\n\n{_first(found)}\n"


def _coverage(found: Any) -> str:
    """How often each interval holds the truth: mean, lowest and highest of the classes."""
    titles = {"patchae": "patchae", "newcombe": "Newcombe", "wald": "DeLong, plus and minus"}
    rows = []
    for one in found["coverage"]:
        cells = []
        for name in titles:
            shares = [of_class[name]["coverage"] for of_class in one["classes"].values()]
            width = fmean(of_class[name]["width"] for of_class in one["classes"].values())
            cells.append(f"{fmean(shares):.3f} ({min(shares):.3f} to {max(shares):.3f})")
            if name == "patchae":
                ours = [of_class[name] for of_class in one["classes"].values()]
                cells += [f"{fmean(of[side] for of in ours):.3f}" for side in ("above", "below")]
            cells.append(f"{width:.3f}")
        rows.append([f"{one['good']}, {one['defective']}", f"{one['truth']:g}", *cells])
    head = ["good, defective", "true AUROC"]
    for title in titles.values():
        head += [title, *(["above", "below"] if title == "patchae" else []), "width"]
    what = f"{found['draws']:,} test sets of each size, AUROC and class; classes:"
    names = ", ".join(found["coverage"][0]["classes"])
    return f"{what} {names}.\n\n{table(head, rows)}"


def _beside(found: Any) -> str:
    """Challengers beside a champion: how often each gate is wrong, and how often it holds."""
    margin = found["margin"]
    head = ["good, defective", "champion"]
    for worse in (2 * margin, margin):
        head += [f"-{worse:g}: patchae", "point", "threshold"]
    head += ["equal: promoted", "held", "rejected", "point rejects"]
    rows = []
    for key in dict.fromkeys(
        (one["good"], one["defective"], one["champion"]) for one in found["decisions"]
    ):
        twice, once, equal = (_row(found, key, share) for share in (-2, -1, 0))
        cells = [f"{twice['gates'][gate]['promote']:.3f}" for gate in GATES]
        cells += [f"{once['gates'][gate]['promote']:.3f}" for gate in GATES]
        cells[3] += f" (at most {once['highest']:.3f})"
        cells += [f"{equal['gates']['patchae'][said]:.3f}" for said in ("promote", "hold")]
        cells += [f"{equal['gates'][gate]['reject']:.3f}" for gate in ("patchae", "point")]
        rows.append([f"{key[0]}, {key[1]}", f"{key[2]:g}", *cells])
    pairs = len(found["pairs"])
    return (
        f"Challengers beside a champion, by its true AUROC: how often one is promoted that is"
        f" {2 * margin:g} or {margin:g} worse, by three gates, and what becomes of equals."
        f" {max(1, found['draws'] // 5):,} test sets of each kind from each of {pairs} pairs of"
        f" models; means over the pairs, in brackets the highest pair.\n\n"
        f"{table(head, rows)}"
    )


def _first(found: Any) -> str:
    """First models against the minimum."""
    seen: dict[tuple[int, int, float], Any] = {}
    for one in found["decisions"]:
        truth = round(one["champion"] + one["difference"], 6)
        seen[one["good"], one["defective"], truth] = one["gates"]
    rows = [
        [
            f"{n}, {m}",
            f"{truth:g}",
            *(f"{gates['first'][said]:.3f}" for said in ("promote", "hold", "reject")),
            f"{gates['threshold']['promote']:.3f}",
        ]
        for (n, m, truth), gates in sorted(seen.items())
    ]
    head = ["good, defective", "true AUROC", "promoted", "held", "rejected", "fixed threshold"]
    return f"First models, `min_image_auroc` 0.9:\n\n{table(head, rows)}"


def _row(found: Any, key: tuple[int, int, float], margins: int) -> Any:
    wanted = margins * found["margin"]
    return next(
        one
        for one in found["decisions"]
        if (one["good"], one["defective"], one["champion"]) == key
        and abs(one["difference"] - wanted) < 1e-9
    )


def write_charts(gates: Path, folder: Path) -> None:
    """Draw both charts."""
    found = json.loads(gates.read_text())
    keys = dict.fromkeys(
        (one["good"], one["defective"], one["champion"])
        for one in found["decisions"]
        if one["champion"] == SHOWN
    )
    worse = [
        (f"{n} + {m}", [_row(found, (n, m, a), -1)["gates"][gate]["promote"] for gate in GATES])
        for n, m, a in keys
    ]
    said = ("promote", "hold", "reject")
    equal = [
        (f"{n} + {m}", [_row(found, (n, m, a), 0)["gates"]["patchae"][one] for one in said])
        for n, m, a in keys
    ]
    worse_title = f"Promoted although {found['margin']:g} worse"
    write_text(folder / WORSE, _bars(worse_title, list(GATES.values()), worse))
    write_text(folder / EQUAL, _bars("Just as good as the champion", list(said), equal))


def _bars(title: str, names: list[str], groups: list[tuple[str, list[float]]]) -> str:
    """Groups of bars with their shares, 0..1."""
    left, right, top, bottom = 44, svg.WIDTH - 12, 62, svg.HEIGHT - 44
    kinds = ("good", "defect", "soft")
    parts = []
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = bottom - share * (bottom - top)
        parts.append(svg.stroke("grid", svg.polyline([(left, y), (right, y)])))
        parts.append(svg.text(left - 6, y + 4, f"{share:g}", "end"))
    width = (right - left) / len(groups)
    for number, (label, values) in enumerate(groups):
        start = left + number * width + 0.12 * width
        bar = 0.76 * width / len(values)
        for place, (value, kind) in enumerate(zip(values, kinds, strict=True)):
            x, y = start + place * bar, bottom - value * (bottom - top)
            box = f"M{svg.n(x)} {svg.n(bottom)}V{svg.n(y)}h{svg.n(bar - 2)}V{svg.n(bottom)}z"
            parts.append(svg.fill(kind, box))
        parts.append(svg.text(left + (number + 0.5) * width, bottom + 16, label))
    parts.append(
        svg.text(
            (left + right) / 2, svg.HEIGHT - 10, f"good + defective test images; champion {SHOWN:g}"
        )
    )
    legend = "&#160;&#160;&#160;".join(
        f"{svg.sign(kind, chr(0x25A0))} {svg.escape(name)}"
        for name, kind in zip(names, kinds, strict=True)
    )
    parts.append(svg.text(12, 42, legend, "start"))
    told = "; ".join(
        f"{label}: " + ", ".join(f"{n} {v:.2f}" for n, v in zip(names, values, strict=True))
        for label, values in groups
    )
    return svg.chart(title, told, parts) + "\n"
