"""The record of one validation: what was checked, what was found, and by which rules.

Equal images checked by equal rules against an equal version before give an equal record, byte for
byte: it holds no time and no random number, so its digest can be cited by a lineage record.

Law: `ValidationRecord.from_dict(record.to_dict()) == record` for every record of `validate`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Literal, cast

from pydantic import ConfigDict, Field, TypeAdapter

from patchae.checks import Severity
from patchae.dataset.validation.drift import Appearance
from patchae.files import canonical_json, digest_json
from patchae.types import ClassDigest, DataVersion, Sha256

SCHEMA: Literal["patchae.validation/2"] = "patchae.validation/2"
MAX_PATHS = 20
EVALUATED = "evaluated"
"""Code of the check that every other check was carried out; always an error."""

_Digest = Field(pattern=r"^[0-9a-f]{64}$")
_Count = Annotated[int, Field(ge=0)]
_STRICT = ConfigDict(strict=True, extra="forbid")
_Version = Annotated[DataVersion, Field(pattern=r"^[0-9a-f]{32}\.dir$")]


@dataclass(frozen=True)
class Check:
    """One check and what it found."""

    __pydantic_config__ = _STRICT

    code: Annotated[str, Field(pattern=r"^[a-z][a-z_]*$")]
    """Stable name; `docs/validation.md` explains every one."""
    severity: Severity
    """Of not passing: an error stops the class, a warning does not."""
    title: Annotated[str, Field(min_length=1)]
    """A plain sentence that is true when the check passed."""
    passed: bool
    found: _Count
    """Number of offending images; for a check of a number, that number."""
    paths: Annotated[tuple[str, ...], Field(max_length=MAX_PATHS)]
    """Offending images relative to data/, sorted, at most 20 of them."""
    expected: str
    """What is allowed, in words; for a check that failed possibly the reason."""
    mend: str
    """What to do with what was found."""

    @property
    def word(self) -> str:
        """`ok`, `warning` or `FAILED`."""
        return "ok" if self.passed else "warning" if self.severity == "warning" else "FAILED"


@dataclass(frozen=True)
class Counts:
    """Images in each part of a class; all 0 in a record whose checks could not be carried out."""

    __pydantic_config__ = _STRICT

    train_good: _Count
    test_good: _Count
    test_defect: _Count


@dataclass(frozen=True)
class ValidationRecord:
    """The outcome for one class of one data version; it passed when no error was found."""

    __pydantic_config__ = _STRICT

    class_name: Annotated[str, Field(min_length=1)]
    data_version: _Version
    class_digest: Annotated[ClassDigest, Field(pattern=r"^([0-9a-f]{64})?$")]
    """Empty when the manifest was too broken to have one; such a record never passes."""
    strays_sha256: Annotated[Sha256, _Digest]
    """Digest of what lies beside the images, by path."""
    compared_with: _Version | None
    """The data version before, in which this class looked as drift is measured from."""
    passed: bool
    checks: tuple[Check, ...]
    counts: Counts
    appearance: Appearance | None
    """How the class looks as a whole; None when the checks could not be carried out."""
    rules: Mapping[str, Any]
    """The limits, `validation:` in `lines.yaml` with its defaults."""
    suite_sha256: Annotated[Sha256, _Digest]
    """Digest of the suite and of the source that evaluates it."""
    versions: Mapping[str, str]
    """Of the libraries that read the images and carried the checks out."""
    schema: Literal["patchae.validation/2"] = SCHEMA

    @property
    def digest(self) -> Sha256:
        """sha256 over the canonical JSON of `to_dict()`."""
        return digest_json(self.to_dict())

    @property
    def failed(self) -> tuple[Check, ...]:
        """The errors: checks that stop the class."""
        return tuple(check for check in self.checks if check.word == "FAILED")

    @property
    def warnings(self) -> tuple[Check, ...]:
        """The checks that did not pass and stop nothing."""
        return tuple(check for check in self.checks if check.word == "warning")

    def to_dict(self) -> dict[str, Any]:
        """The record as JSON values, one key per field."""
        return cast("dict[str, Any]", _adapter().dump_python(self, mode="json"))

    @classmethod
    def from_dict(cls, value: Any) -> ValidationRecord:
        """The record that `to_dict` gave.

        Raises:
            ValueError: a key is missing, unknown or of the wrong type, or the record contradicts
                itself (it passed although a check failed, or nothing was checked).
        """
        if not isinstance(value, dict) or "schema" not in value:
            raise ValueError("not a validation record: it has no schema")
        try:
            text = canonical_json(value)
        except (TypeError, RecursionError) as error:
            raise ValueError(f"not a validation record: {error}") from None
        record = _adapter().validate_json(text)
        codes = [check.code for check in record.checks]
        if len(set(codes)) != len(codes):
            raise ValueError("a check stands twice in the validation record")
        if EVALUATED not in codes:
            raise ValueError(f"the validation record has no check '{EVALUATED}'")
        if any(check.code == EVALUATED and check.severity != "error" for check in record.checks):
            raise ValueError(f"the check '{EVALUATED}' of the validation record is no error")
        if record.passed != (not record.failed):
            raise ValueError("the validation record contradicts its checks")
        if record.passed and not (record.class_digest and record.appearance):
            raise ValueError("the validation record passed without having seen images")
        if any(check.found < len(check.paths) for check in record.checks):
            raise ValueError("a check of the validation record lists more images than it found")
        return record


@cache
def _adapter() -> TypeAdapter[ValidationRecord]:
    return TypeAdapter(ValidationRecord)


def table(record: ValidationRecord) -> list[tuple[str, str, str]]:
    """Rows of title, "ok", "warning" or "FAILED", and details, for a terminal or a page."""
    return [(check.title, check.word, _details(check)) for check in record.checks]


def _details(check: Check) -> str:
    if check.passed and not check.found:
        return check.expected
    text = f"{check.found} found; expected: {check.expected}"
    if not check.paths:
        return text
    shown = check.paths[:3]
    rest = check.found - len(shown)
    return f"{text}; {', '.join(shown)}" + (f" and {rest} more" if rest else "")
