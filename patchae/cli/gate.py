"""The command that asks the gate again, without moving anything."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Json, as_json, here, table

if TYPE_CHECKING:
    from patchae.config import Gates
    from patchae.project import Project
    from patchae.registry.chain import Entry
    from patchae.registry.verdict import Finding, Verdict


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(gate)


def gate(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    policy: Annotated[
        Path | None, typer.Option(help="YAML file with keys of `gates`, as in lines.yaml.")
    ] = None,
    json: Json = False,
) -> None:
    """Judge a version again on the evidence of its last verdict; moves and writes nothing."""
    from patchae.errors import NegativeFinding, UsageError
    from patchae.registry.evidence import Evidence
    from patchae.registry.gates import judge
    from patchae.registry.standing import champion_of
    from patchae.registry.verdict import Verdict
    from patchae.registry.wording import explain

    project = here()
    row, entries = _last_verdict(project, model)
    try:
        before = Verdict.from_body(row.body)
        known = Evidence.from_dict(before.evidence)
    except ValueError as error:
        raise UsageError(
            f"the verdict in row {row.seq} cannot be read: {str(error).splitlines()[0]}",
            where="the ledger",
            mend="`patchae ledger verify` says whether somebody altered it; if not, another version"
            " of patchae wrote it: use that one here, too",
        ) from None
    verdict = judge(known, _gates(project, row.model, policy))
    _show(row, verdict)
    seeds = verdict.evidence["seeds"]
    if len(seeds) > 1:
        print(f"image AUROC of {len(seeds)} seeds: {_spread(list(seeds.values()))}")
    champion = champion_of(entries).current
    if row.body["champion"] != champion:
        then = f"champion version {row.body['champion']}" if row.body["champion"] else "none"
        print(f"compared with {then}, as it was then; now it is version {champion}")
    if verdict.outcome != before.outcome:
        print(f"row {row.seq} of the ledger, under the policy of then: {before.outcome}")
    if json:
        as_json(
            {
                "model": row.model,
                "version": row.body["version"],
                "outcome": verdict.outcome,
                "reasons": [reason.value for reason in verdict.reasons],
                "findings": [asdict(finding) for finding in verdict.findings],
                "policy": verdict.policy,
                "seq": row.seq,
                "recorded": before.outcome,
                "champion": row.body["champion"],
                "champion_now": champion,
                "seeds": [
                    {"seed": int(seed), "image_auroc": auroc}
                    for seed, auroc in sorted(seeds.items())
                ],
            }
        )
    if verdict.outcome != "promote":
        raise NegativeFinding(
            f"{row.model}/{row.body['version']}: {verdict.outcome}; {explain(verdict)}"
        )


def _last_verdict(project: Project, name: str) -> tuple[Entry, list[Entry]]:
    """The last verdict on a version, and all rows on its model.

    Raises:
        UsageError: nothing of that name was judged.
    """
    from patchae.errors import UsageError
    from patchae.lineage.naming import known_in_ledger
    from patchae.registry.ledger import Ledger
    from patchae.registry.standing import last_verdict

    model, version = known_in_ledger(project, name)
    entries = Ledger.of(project).entries(model)
    row = last_verdict(entries, version)
    if row is None:
        raise UsageError(
            f"{model}/{version} was never judged",
            where="the ledger",
            mend="`patchae status` lists what was; `patchae retrain LINE` judges a line",
        )
    return row, entries


def _gates(project: Project, model: str, policy: Path | None) -> Gates:
    """The gates of a model's class in `lines.yaml`, with what a file has otherwise."""
    from patchae.lines_file import load_gates, load_lines

    line, _, class_name = model.partition(".")
    own = load_lines(project.lines_file).line(line).gates_of(class_name)
    return load_gates(policy, own) if policy else own


def _show(row: Entry, verdict: Verdict) -> None:
    rows = [
        (
            finding.reason.value,
            finding.outcome,
            finding.about or "-",
            _number(finding.value),
            f"{_number(finding.low)} to {_number(finding.high)}"
            if finding.low is not None
            else "-",
            _number(finding.limit),
            _images(finding, "n_good", "n_defect"),
            _images(finding, "more_good", "more_defect"),
        )
        for finding in verdict.findings
    ]
    columns = ("finding", "says", "about", "value", "interval", "limit", "images", "more wanted")
    table(columns, rows, title=f"{row.model}/{row.body['version']}: {verdict.outcome}")


def _spread(aurocs: list[float]) -> str:
    from statistics import fmean, stdev

    return (
        f"mean {fmean(aurocs):.4f}, standard deviation {stdev(aurocs):.4f},"
        f" {min(aurocs):.4f} to {max(aurocs):.4f}"
    )


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}" if abs(value) >= 1 else f"{value:.4f}"


def _images(finding: Finding, good: str, defective: str) -> str:
    counts = [
        f"{count} {what}"
        for count, what in (
            (getattr(finding, good), "good"),
            (getattr(finding, defective), "defective"),
        )
        if count is not None
    ]
    return ", ".join(counts) or "-"
