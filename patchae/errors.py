"""Every error that patchae raises on purpose.

    PatchaeError                    exit code
    ├── UsageError                  2   wrong use: an unknown name, a missing argument
    │   ├── ConfigError             2   lines.yaml or a setting says something impossible
    │   ├── DataError               2   images are not where or what they must be
    │   └── AccessRefused           2   this account may not do that
    ├── NegativeFinding             1   done, and the answer is no
    │   ├── ValidationFailed        1   images did not pass their checks
    │   ├── ClassFailed             1   a class of a line could not be finished
    │   ├── AuditBroken             1   a link of a lineage does not hold
    │   └── AliasMoved              1   an alias in MLflow is not where the ledger says
    └── StoreUnreachable            3   a server or store does not answer
        ├── StoreSilent             3   it gives no answer at all, and may in a moment
        └── StoreBusy               3   another process holds what is needed

A message says what was found, where, and what mends it. The command line prints exactly that and
ends with the exit code; a traceback is only ever shown for a defect of patchae itself.
"""

from __future__ import annotations

from typing import ClassVar, Self


class PatchaeError(Exception):
    """What was found, where, and what mends it."""

    exit_code: ClassVar[int] = 2

    def __init__(self, what: str, *, where: str | None = None, mend: str | None = None) -> None:
        self.what = what
        self.where = where
        self.mend = mend
        super().__init__(what, where, mend)

    def __str__(self) -> str:
        lines = [self.what]
        if self.where:
            lines.append(f"  where:   {self.where}")
        if self.mend:
            lines.append(f"  to mend: {self.mend}")
        return "\n".join(lines)

    def instead_of(self, place: str, shown: str) -> Self:
        """The same error with another place in its text: where a temporary folder came from."""
        texts = (self.what, self.where, self.mend)
        what, where, mend = (text and text.replace(place, shown) for text in texts)
        return type(self)(what or self.what, where=where, mend=mend)

    def __reduce__(self) -> tuple[object, ...]:
        # The default would call the class with positional arguments only; errors cross processes.
        return _rebuild, (type(self), self.what, self.where, self.mend)


def _rebuild(
    kind: type[PatchaeError], what: str, where: str | None, mend: str | None
) -> PatchaeError:
    return kind(what, where=where, mend=mend)


class UsageError(PatchaeError):
    """Wrong use of a command: an unknown name, a missing argument."""


class ConfigError(UsageError):
    """`lines.yaml` or a setting says something impossible."""


class DataError(UsageError):
    """Images are not where or what they must be."""


class AccessRefused(UsageError):
    """A server knows this account and does not let it do that, or does not know it."""


class NegativeFinding(PatchaeError):
    """The work was done and the answer is no."""

    exit_code = 1


class ValidationFailed(NegativeFinding):
    """Images did not pass their checks."""


class ClassFailed(NegativeFinding):
    """A class of a line could not be finished."""


class AuditBroken(NegativeFinding):
    """A link of a lineage does not hold."""


class AliasMoved(NegativeFinding):
    """Somebody moved an alias in MLflow past the ledger."""


class StoreUnreachable(PatchaeError):
    """A server or store does not answer."""

    exit_code = 3


class StoreSilent(StoreUnreachable):
    """A store gives no answer at all: it may be starting again."""


class StoreBusy(StoreUnreachable):
    """Another process holds what is needed and did not let go in time."""
