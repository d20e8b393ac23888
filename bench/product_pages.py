"""What the benches of the product found, as Markdown; those of the model are in `bench.tables`."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import median
from typing import Any

from bench.tables import number, significant, table


def of_lineage(lineage: Path) -> str:
    """The tables of `bench.lineage`."""
    if not lineage.exists():
        return "Not measured yet: `make bench-lineage`.\n"
    found = json.loads(lineage.read_text())
    commands = [
        ("`patchae trace` of one image", "trace_one"),
        (f"`patchae trace --from-list` of {found['asked']:,} images", "trace_list"),
        ("`patchae history MODEL --at`", "history_at"),
        ("`patchae history LINE --at`", "history_line_at"),
        ("`patchae status`", "status"),
        ("`patchae audit` of one version", "audit"),
    ]
    rows = [
        [
            title,
            f"{median(found['seconds'][key]):.2f}",
            f"{max(found['seconds'][key]):.2f}",
            f"{found['limits'][key]:g}" if key in found["limits"] else "-",
        ]
        for title, key in commands
    ]
    asked = median(found["seconds"]["trace_list"])
    uses = found["model_uses"] + found["memberships"]
    what = (
        f"{found['model_versions']:,} model versions over {found['data_versions']} data versions"
        f" of {found['images']:,} images each; {found['rows']:,} rows of the ledger;"
        f" {found['cores']} cores."
    )
    size = (
        f"The index has {found['index_bytes'] / 1e6:.1f} MB for {found['model_uses'] / 1e6:.1f}"
        f" million uses of an image by a model version and {found['memberships'] / 1e6:.1f} million"
        f" of an image in a data version: {found['index_bytes'] / uses:.2f} MB per million. It was"
        f" filled from nothing in {found['filling']:.0f} s."
    )
    beside = (
        f"A scan of all versions through MLflow's API finds the same {found['affected']} affected"
        f" versions for the {found['asked']:,} images in {found['scan']:.0f} s:"
        f" {found['scan'] / asked:.0f} times as long. It says nothing of data versions, nor of what"
        " was live."
    )
    measured = table(["command", "median s", "longest s", "wanted under s"], rows)
    return f"{what}\n\n{measured}\n\n{size}\n\n{beside}\n"


def of_scale(scale: Path) -> str:
    """The tables of `bench.scale`, and what they say of a larger plant."""
    if not scale.exists():
        return "Not measured yet: `make bench-scale`.\n"
    found = json.loads(scale.read_text())
    classes = found["classes"]
    alone = {row["classes_per_run"]: row["seconds"] for row in found["rows"] if row["workers"] == 1}
    rows = [
        [
            str(row["workers"]),
            str(row["classes_per_run"]),
            f"{row['seconds']:.0f}",
            f"{sum(row['training_seconds']) / classes:.1f}",
            f"{row['not_training']:.0%}",
            f"{alone[row['classes_per_run']] / row['seconds']:.2f}"
            if row["classes_per_run"] in alone
            else "-",
        ]
        for row in found["rows"]
    ]
    head = ["workers", "classes per run", "night s", "training s per class", "not training",
            "speed-up"]  # fmt: skip
    what = (
        f"{classes} classes of {found['images']} training images, preset `{found['preset']}`, one"
        f" CPU for each worker; {found['cores']} cores for them, the server and all else."
    )
    best = min(found["rows"], key=lambda row: row["seconds"] * row["workers"])
    each = best["seconds"] * best["workers"] / classes
    trained = sum(best["training_seconds"]) / classes
    share = 1000 / 8
    plant = (
        "By calculation, from the row with the least time for a class"
        f" ({best['workers']} x {best['classes_per_run']}: {trained:.1f} s of training and"
        f" {each - trained:.1f} s of all else): 1,000 classes a night on 8 workers of that speed"
        f" take {share * each / 3600:.1f} h. With a training of T seconds it is 125 x (T +"
        f" {each - trained:.1f}) s, so that 8 hours leave"
        f" {8 * 3600 / share - (each - trained):.0f} s for a training.\n"
    )
    return f"{what}\n\n{table(head, rows)}\n\n{plant}\n"


def of_data(data: Path) -> str:
    """The tables of `bench.data`."""
    if not data.exists():
        return "Not measured yet: `make bench-data`.\n"
    found = json.loads(data.read_text())
    rows = [
        [
            step["step"],
            f"{step['patchae']:.1f}",
            f"{step['dvc']:.1f}",
            f"{step['patchae'] / step['dvc']:.2f}",
        ]
        for step in found["versioning"]
    ]
    versioned = table(["snapshot", "patchae s", "dvc add and push s", "ratio"], rows)
    count = found["images"]
    speeds = [
        ("decoding alone", "decoding"),
        ("manifest, cold", "cold_manifest"),
        ("manifest and validation, cold", "cold_all"),
        ("manifest, warm", "warm_manifest"),
        ("manifest and validation, warm", "warm_all"),
    ]
    read = table(
        ["reading", "images per second", "of decoding"],
        [
            [title, f"{count / found[key]:,.0f}", f"{found['decoding'] / found[key]:.2f}"]
            for title, key in speeds
        ],
    )
    what = (
        f"{count:,} rendered images of {found['bytes'] / count / 1e3:.0f} kB,"
        f" {found['processes']} processes."
    )
    return f"{what}\n\n{versioned}\n\n{read}\n"


def of_candidates(choice: Path) -> str:
    """The table of `bench.choose`, the best candidate first."""
    if not choice.exists():
        return "Not measured yet: `python -m bench.choose FOLDER`.\n"
    found = json.loads(choice.read_text())
    classes = sorted({name for one in found.values() for name in one["classes"]})
    rows = [
        [name, number(one["mean"], 4), *(number(one["classes"].get(c), 4) for c in classes)]
        for name, one in sorted(found.items(), key=lambda item: -item[1]["mean"])
    ]
    head = ["candidate", "mean", *classes]
    return table(head, rows) + "\n"


def of_sizes(growth: Path) -> str:
    """The table of cost by number of training images, as Markdown."""
    if not growth.exists():
        return "Not measured yet: `make bench-growth DATA=folder`.\n"
    content = json.loads(growth.read_text())
    rows = [
        [
            f"{run['images']:,}",
            significant(run["training_seconds"]),
            f"{run['peak_memory_mb']:,.0f}",
            significant(run["ms_batch1"]),
            significant(run["ms_batch16"]),
            significant(run["model_bytes"] / 1e6),
        ]
        for run in content["runs"]
    ]
    last = content["runs"][-1]
    head = ["training images", "training s", "peak MB", "ms per image, 1", "ms per image, 16",
            "model MB"]  # fmt: skip
    where = (
        f"Class `{content['class']}` at {content['image_size']} px on {last['device']},"
        f" {last['threads']} threads, torch {last['versions']['torch']}."
    )
    return f"{where}\n\n{table(head, rows)}\n"


def of_drift(drift: Path) -> str:
    """The tables of `bench.drift`."""
    if not drift.exists():
        return "Not measured yet: `make bench-drift DATA=folder`.\n"
    found = json.loads(drift.read_text())
    classes = found["classes"]
    changes = list(next(iter(classes.values()))["changes"])
    quiet = [
        [
            name,
            str(one["reference"]),
            f"{one['unchanged']['days']:,}",
            str(one["unchanged"]["seen"]),
            str(one["unchanged"]["confirmed"]),
        ]
        for name, one in classes.items()
    ]
    seen = [
        [change, *(_after(one["changes"][change]) for one in classes.values())]
        for change in changes
    ]
    what = (
        f"Level of one look {found['level']:.2g}; looks at {found['day']} images each;"
        f" {found['draws']} changes of each kind."
    )
    first = table(
        ["class", "images of the reference", "days", "drift seen", "drift confirmed"], quiet
    )
    second = table(["changed images until drift is seen, confirmed", *classes], seen)
    return f"{what}\n\n{first}\n\n{second}\n"


def _after(told: dict[str, Any]) -> str:
    """Median images until drift is seen and confirmed, and those enough in 95 % of draws."""
    (seen, _), (late, latest) = told["seen"], told["confirmed"]
    missed = f"; {told['missed']:.0%} missed" if told["missed"] else ""
    return f"{seen}, {late} (95 %: {latest}){missed}"


def of_serving(serving: Path) -> str:
    """The tables of `bench.serve`."""
    if not serving.exists():
        return "Not measured yet: `make bench-serve`.\n"
    found = json.loads(serving.read_text())
    rows = [
        [
            row["service"],
            str(row["clients"]),
            f"{row['per_second']:.1f}",
            *(f"{row[key]:.0f}" for key in ("p50_ms", "p95_ms", "p99_ms")),
            f"{row['p99_ms'] / row['p50_ms']:.1f}",
            str(row["failed"]),
        ]
        for row in found["rows"]
    ]
    head = ["service", "clients", "requests per second", "p50 ms", "p95 ms", "p99 ms",
            "p99 / p50", "failed"]  # fmt: skip
    speed = {(row["service"], row["clients"]): row["per_second"] for row in found["rows"]}
    services = list(dict.fromkeys(row["service"] for row in found["rows"]))
    other = services[-1]
    ratios = ", ".join(
        f"{speed[services[0], clients] / speed[other, clients]:.1f} with {clients}"
        for clients in found["clients"]
        if speed.get((other, clients))
    )
    what = (
        f"{found['what']}; {found['cores']} cores, {found['seconds']:g} s each. Times as many"
        f" requests as `{other}`: {ratios}. Outside the network, of a request by one client:"
        f" {found['outside']:.0%}."
    )
    return f"{what}\n\n{table(head, rows)}\n"


def of_endurance(endurance: Path) -> str:
    """The findings of `bench.endurance`."""
    if not endurance.exists():
        return "Not measured yet: `make bench-endurance`.\n"
    found = json.loads(endurance.read_text())
    happened = "; ".join(f"{what} ({second:.0f} s)" for second, what in found["happened"])
    followed = ", ".join("never" if one is None else f"{one:.1f}" for one in found["followed_s"])
    memory = found["memory_mb"]
    rows = [
        ["requests, images", f"{found['requests']:,}, {found['images']:,}"],
        ["requests without an answer", str(found["failed"])],
        ["answers that the log lacks, and the reverse",
         f"{found['not_logged']}, {found['not_answered']}"],
        ["decisions of a version that the ledger does not have as champion",
         str(found["disputed"])],
        ["seconds from each move in the ledger to its first answer", followed],
        ["p50, p95, p99 ms", ", ".join(f"{found[key]:.0f}" for key in
                                       ("p50_ms", "p95_ms", "p99_ms"))],
        ["MB of the service, at first and at most", f"{memory[0]:.0f}, {max(memory):.0f}"],
    ]  # fmt: skip
    what = f"{found['seconds']:.0f} s, {found['clients']} clients, {found['cores']} cores."
    return f"{what} What happened: {happened}.\n\n{table(['', ''], rows)}\n"
