"""Commands on the ledger itself: keygen, verify, export, anchor."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from patchae.cli.output import Json, TrustedKeys, as_json, here

if TYPE_CHECKING:
    from patchae.registry.chain import Row
    from patchae.registry.signing import Signature

ledger = typer.Typer(
    name="ledger",
    help="Sign the ledger, verify it, write it out, note how far it has come.",
    no_args_is_help=True,
)


def add_to(app: typer.Typer) -> None:
    """Register the group."""
    app.add_typer(ledger)


@ledger.command()
def keygen(
    file: Annotated[Path, typer.Argument(help="File for the private key; FILE.pub is the other.")],
    json: Json = False,
) -> None:
    """Make a key that signs the ledger while PATCHAE_LEDGER_KEY names its file."""
    from patchae.registry.signing import generate

    public, key = generate(file)
    print(f"private: {file}  (keep it; PATCHAE_LEDGER_KEY={file} signs with it)")
    print(f"public:  {public}  (give it away; patchae ledger verify --key {public})")
    if json:
        as_json({"private": str(file), "public": str(public), "key": key})


@ledger.command()
def verify(
    file: Annotated[
        Path | None, typer.Argument(help="An export; needs no project. Default: the ledger.")
    ] = None,
    anchor: Annotated[
        str | None, typer.Option(help="What `ledger anchor` printed earlier: is it still held?")
    ] = None,
    key: TrustedKeys = None,
    json: Json = False,
) -> None:
    """Recompute the chain of the ledger or of an export; exit code 1 when it is broken."""
    from patchae.errors import AuditBroken
    from patchae.registry import chain, signing
    from patchae.registry.export import Anchor

    noted = Anchor.of(anchor) if anchor else None
    trusted = [signing.read_public(one) for one in key] if key else None
    rows, signatures, where = _rows(file)
    found = chain.faults(rows) + signing.faults(rows, signatures, trusted)
    found += noted.faults(rows) if noted else []
    if file is None:
        found += _named_by_mlflow()
    for fault in found:
        print(fault)
    state = "broken" if found else "intact"
    held = ", holds the anchor" if noted and not found else ""
    print(f"{state}: {len(rows)} rows, {signing.counted(signatures)}{held}")
    if json:
        as_json(
            {
                "file": where,
                "rows": len(rows),
                "signed": len(signatures),
                "state": state,
                "faults": found,
            }
        )
    if found:
        raise AuditBroken(
            f"the ledger is broken: {found[0]}",
            where=where,
            mend="restore it from a backup that holds the anchor; docs/ledger.md says more",
        )


@ledger.command()
def export(
    file: Annotated[Path, typer.Argument(help="File to write, one row a line.")],
    json: Json = False,
) -> None:
    """Write all rows as JSON lines, which `ledger verify FILE` checks anywhere."""
    from patchae.errors import AuditBroken
    from patchae.files import write_text
    from patchae.registry.export import to_lines

    rows, signatures, where = _rows(None)
    try:
        text = to_lines(rows, signatures)
    except ValueError as error:
        raise AuditBroken(
            f"the ledger cannot be written out: {error}",
            where=where,
            mend="`patchae ledger verify` names the row that was altered",
        ) from None
    write_text(file, text)
    print(f"{len(rows)} rows: {file}")
    if json:
        as_json({"file": str(file), "rows": len(rows)})


@ledger.command()
def anchor(json: Json = False) -> None:
    """Print the number and digest of the newest row, to be kept where nobody can change them."""
    from patchae.errors import UsageError
    from patchae.registry.export import Anchor
    from patchae.types import Sha256

    rows, _, where = _rows(None)
    if not rows:
        raise UsageError(
            "the ledger has no rows yet", where=where, mend="`patchae retrain LINE` writes some"
        )
    newest = Anchor(rows[-1].seq, Sha256(rows[-1].digest))
    print(newest)
    if json:
        as_json({"seq": newest.seq, "digest": newest.digest, "time": rows[-1].time})


def _named_by_mlflow() -> list[str]:
    """Rows that MLflow's versions name and the ledger lacks; no chain can show that by itself."""
    from patchae.errors import AccessRefused, StoreUnreachable
    from patchae.registry.agreement import faults_of

    try:
        return faults_of(here(reading=True))
    except (AccessRefused, StoreUnreachable) as error:
        print(f"{error.what}; whether rows are missing that MLflow names is not known")
        return []


def _rows(file: Path | None) -> tuple[list[Row], dict[int, Signature], str]:
    """Rows, their signatures and where they are from; a file is read outside any project."""
    from patchae.registry.export import from_lines

    if file is not None:
        from patchae.errors import DataError, UsageError

        try:
            text = file.read_text(encoding="utf-8")
        except (FileNotFoundError, IsADirectoryError):
            raise UsageError(
                "there is no such file",
                where=str(file),
                mend="give an export, which `patchae ledger export FILE` writes",
            ) from None
        except UnicodeDecodeError:
            raise DataError("not text", where=str(file), mend="give an export") from None
        return *from_lines(text, str(file)), str(file)
    from patchae.registry.ledger import Ledger

    own = Ledger.of(here(reading=True))
    return *own.signed_rows(), own.where
