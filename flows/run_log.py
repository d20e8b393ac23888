"""News and progress of a run, in its log on Prefect's pages and in what its worker prints."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from prefect.context import FlowRunContext, TaskRunContext
from prefect.logging.handlers import APILogHandler
from prefect.runtime import flow_run

from patchae.console import LOGGER, logged_to, record
from patchae.errors import PatchaeError


class _RunLog(APILogHandler):
    """Send lines to the log of one flow run, and of the task run that a line comes from."""

    def __init__(self, run_id: str) -> None:
        super().__init__(logging.INFO)
        self._run_id = run_id

    def prepare(self, record: logging.LogRecord) -> dict[str, Any]:
        """Name the run: a thread that a step starts for itself does not know it."""
        if FlowRunContext.get() is None and TaskRunContext.get() is None:
            record.flow_run_id = self._run_id
        return super().prepare(record)


@contextmanager
def run_log() -> Iterator[None]:
    """Log what patchae says to the flow run of this thread; and why it fails, if it does."""
    # Prefect does this itself for the loggers that PREFECT_LOGGING_EXTRA_LOGGERS names.
    sent = any(isinstance(handler, APILogHandler) for handler in LOGGER.handlers)
    handler = _RunLog(str(flow_run.id)) if flow_run.id and not sent else logging.NullHandler()
    with logged_to(handler):
        try:
            yield
        except PatchaeError as error:
            record(str(error), logging.ERROR)
            raise
