"""Run a suite over the tables of a class with Great Expectations, and read what came out.

Fails closed: an expectation counts as met only if Great Expectations evaluated it on every value
and said so. One that raised, was left out, skipped missing values or does not name every image
that it found is *not evaluated*, which is worse than not met.

Nothing is written: the context lives in memory, and progress bars and analytics are off.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from threading import Lock
from typing import TYPE_CHECKING, Any

from patchae.dataset.validation.statement import Statement, Table

if TYPE_CHECKING:
    import pandas as pd

# The current context of Great Expectations is one per process, not one per thread.
_ONE_AT_A_TIME = Lock()

_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


@dataclass(frozen=True)
class Outcome:
    """What one statement came to."""

    met: bool
    found: int
    """Offending images; for a statement about a number, that number."""
    paths: tuple[str, ...]
    """Every offending image, sorted."""
    problem: str | None
    """Why it could not be evaluated; then `met` is false."""


class NotEvaluated(Exception):
    """An expectation has no usable result; never leaves this module."""


def evaluate(
    tables: Mapping[Table, pd.DataFrame], suite: Sequence[Statement]
) -> dict[str, Outcome]:
    """Outcome by code, for every statement of the suite and nothing else.

    Safe to call from several threads; they take turns.

    Args:
        tables: what the statements speak about, each with a column `path`.
        suite: the statements.

    Raises:
        Exception: whatever Great Expectations raises when it cannot run at all.
    """
    results = {}
    for result in _run(tables, suite):
        meta = result.expectation_config.meta or {}
        results[meta.get("code"), meta.get("part")] = result
    return {
        statement.code: _outcome(
            [results.get((statement.code, part)) for part in range(len(statement.expectations))]
        )
        for statement in suite
    }


def describe(error: BaseException | str) -> str:
    """One line that is the same in every process: no traceback, no memory address."""
    text = error if isinstance(error, str) else f"{type(error).__name__}: {error}"
    first = next(iter(text.strip().splitlines()), "no message")
    return _ADDRESS.sub("0x", first)[:200]


def _run(tables: Mapping[Table, pd.DataFrame], suite: Sequence[Statement]) -> list[Any]:
    """The raw results, in no particular order."""
    found: list[Any] = []
    with _ONE_AT_A_TIME, _context() as context:
        import great_expectations as gx

        source = context.data_sources.add_pandas("tables")
        for name, frame in tables.items():
            expectations = [
                {**expectation, "meta": {"code": statement.code, "part": part}}
                for statement in suite
                if statement.table == name
                for part, expectation in enumerate(statement.expectations)
            ]
            if not expectations:
                continue
            batch = (
                source.add_dataframe_asset(name)
                .add_batch_definition_whole_dataframe("all")
                .get_batch({"dataframe": frame})
            )
            # Not by a validation definition, which writes the whole result into a store of its own.
            report = batch.validate(
                gx.ExpectationSuite(name, expectations=expectations),
                result_format={
                    "result_format": "COMPLETE",
                    "unexpected_index_column_names": ["path"],
                    "return_unexpected_index_query": False,  # takes time, and nobody reads it
                },
            )
            found.extend(report.results)
    return found


@contextmanager
def _context() -> Iterator[Any]:
    """A context in memory; afterwards the process has the context that it had before."""
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    import great_expectations as gx
    from great_expectations.data_context.data_context.context_factory import project_manager
    from great_expectations.exceptions.exceptions import DataContextRequiredError

    try:
        before = project_manager.get_current_project()
    except DataContextRequiredError:
        before = None
    try:
        context = gx.get_context(mode="ephemeral")
        context.variables.progress_bars = {"globally": False, "metric_calculations": False}
        yield context
    finally:
        project_manager.set_project(before)


def _outcome(results: Sequence[Any]) -> Outcome:
    found = 0
    paths: set[str] = set()
    try:
        if not results:
            raise NotEvaluated("it expects nothing")  # noqa: TRY301 - read with its siblings
        for result in results:
            number, offending = _reading(result)
            found = max(found, number)
            paths |= offending
    except NotEvaluated as error:
        return Outcome(met=False, found=0, paths=(), problem=describe(str(error)))
    return Outcome(
        met=all(result.success is True for result in results),
        found=len(paths) or found,
        paths=tuple(sorted(paths)),
        problem=None,
    )


def _reading(result: Any) -> tuple[int, set[str]]:
    """The number that one expectation found, and the paths of the offending images.

    Raises:
        NotEvaluated: there is no result to rely on.
    """
    if result is None:
        raise NotEvaluated("Great Expectations returned no result")
    raised = _exceptions(result.exception_info)
    if raised:
        raise NotEvaluated(raised[0])
    details = result.result
    if "observed_value" in details:
        if details["observed_value"] is None:
            raise NotEvaluated("Great Expectations observed no value")
        return int(details["observed_value"]), set()
    number = details.get("unexpected_count")
    rows = details.get("unexpected_index_list")
    if number is None or rows is None or len(rows) != number:
        raise NotEvaluated("Great Expectations did not say which images it found")
    if details.get("missing_count"):
        raise NotEvaluated(f"{details['missing_count']} values are missing and were skipped")
    return number, {str(row["path"]) for row in rows}


def _exceptions(info: Any) -> list[str]:
    """Messages of what was raised, sorted; `info` is flat, or one such mapping per metric."""
    if not info:
        return []
    entries = [info] if "raised_exception" in info else list(info.values())
    return sorted(
        str(entry.get("exception_message") or "an exception without a message")
        for entry in entries
        if entry.get("raised_exception")
    )
