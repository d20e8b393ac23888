"""The command that writes attestations for other systems: attest."""

from __future__ import annotations

import json as json_text
from pathlib import Path
from typing import Annotated

import typer

from patchae.cli.output import Json, as_json, here


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command()(attest)


def attest(
    model: Annotated[str, typer.Argument(help="MODEL (its champion), MODEL/VERSION, MODEL@ALIAS.")],
    out: Annotated[Path, typer.Option(help="File to write: a DSSE envelope in JSON.")],
    json: Json = False,
) -> None:
    """Sign what made a version as an in-toto statement with SLSA provenance.

    The key is that of the ledger, PATCHAE_LEDGER_KEY; without one nothing is written.
    """
    from patchae.errors import ConfigError
    from patchae.files import write_text
    from patchae.lineage.attestation import envelope, statement
    from patchae.lineage.naming import lineage_of
    from patchae.registry.signing import Signer
    from patchae.registry.tracking import Tracking

    signer = Signer.configured()
    if signer is None:
        raise ConfigError(
            "there is no key to sign with, and an attestation that nobody signed proves nothing",
            where="PATCHAE_LEDGER_KEY",
            mend="make a key with `patchae ledger keygen FILE` and set PATCHAE_LEDGER_KEY=FILE",
        )
    project = here()
    name, version, record = lineage_of(project, Tracking.open(project), model)
    told = statement(record, version)
    write_text(out, json_text.dumps(envelope(told, signer)) + "\n")
    subjects = len(told["subject"])
    print(f"{name}/{version}: {out}, {subjects} files, signed with {signer.public}")
    if json:
        as_json(
            {
                "model": name,
                "version": version,
                "file": str(out),
                "subjects": subjects,
                "key": signer.public,
            }
        )
