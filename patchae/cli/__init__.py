"""The command line: parse, call the library, print. One file per kind of command.

Exit codes: 0 done; 1 done with a negative finding; 2 wrong use or configuration; 3 a server or
store cannot be reached. With `--json` the last line on standard output is one JSON object, which
`docs/json.md` documents. Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

import atexit
import errno
import gc
import os
import sys
from contextlib import suppress

import typer

from patchae import __version__
from patchae.cli import (
    attest,
    audit,
    backup,
    card,
    data,
    deploy,
    gate,
    ledger,
    models,
    monitor,
    moves,
    predictions,
    relocate,
    reproduce,
    run,
    serve_model,
    threshold,
    tidy,
    trace,
    use,
    versions,
)
from patchae.errors import PatchaeError, StoreUnreachable

_INTERRUPTED = 130
_COLLECT_AFTER = 10_000
"""More new objects than this, and Python looks for cycles among them; 700 by default."""

app = typer.Typer(
    name="patchae",
    help="Keeps one anomaly model per product class trained, proven and deployed.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)


@app.callback(invoke_without_command=True)
def _options(
    version: bool = typer.Option(False, "--version", help="Show the version and end."),
) -> None:
    if version:
        print(__version__)
        raise typer.Exit


for _module in (
    run,
    deploy,
    data,
    versions,
    models,
    predictions,
    gate,
    moves,
    threshold,
    use,
    serve_model,
    monitor,
    audit,
    trace,
    reproduce,
    card,
    attest,
    ledger,
    tidy,
    relocate,
    backup,
):
    _module.add_to(app)


def console() -> None:
    """The console script `patchae`: `main` in a process of its own, which starts and ends quickly.

    Half a million objects of libraries live as long as the process does: they are looked through
    less often for cycles, and not taken apart one by one when it ends. Everything that is to be
    done at the end is done all the same, since what is registered first is done last.
    """
    code = 1  # of an exception that nobody foresaw

    def leave() -> None:
        with suppress(OSError, ValueError):  # a pipe that nobody reads is told by Python itself
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(code)

    atexit.register(leave)
    gc.set_threshold(_COLLECT_AFTER, *gc.get_threshold()[1:])
    try:
        main()
        code = 0
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
        raise


def main() -> None:
    """Do what the command line says; every error that patchae knows becomes its exit code."""
    try:
        app()
    except PatchaeError as error:
        sys.stdout.flush()
        sys.stderr.write(f"patchae: {error}\n")
        sys.exit(error.exit_code)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            where = (
                error.filename or "the folder of the project's state, or that of temporary files"
            )
            sys.stderr.write(
                f"patchae: {error.strerror}\n  where:   {where}\n"
                "  to mend: make room, then run the same command again: what is done is kept\n"
            )
            sys.exit(StoreUnreachable.exit_code)
        if error.filename is None:
            raise
        sys.stderr.write(f"patchae: {error.strerror}\n  where:   {error.filename}\n")
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            sys.stderr.write(
                "  to mend: use its owner's account, or let the group write: docs/network.md\n"
            )
        sys.exit(StoreUnreachable.exit_code)
    except SystemExit as end:  # what Typer makes of Ctrl-C
        if end.code == _INTERRUPTED:
            sys.stderr.write("patchae: interrupted; the same command continues where it stopped\n")
        raise
