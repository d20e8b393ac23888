"""When something is due: five cron fields and a time zone, as Prefect will read them.

The fields are held to what cron itself knows. A sixth one, `L`, `W`, `#` and a range of one value
mean something else to Prefect's reader than to others, or nothing.
"""

from __future__ import annotations

import re

_PART = re.compile(r"(?:\*|([0-9]+|[A-Z]{3})-([0-9]+|[A-Z]{3}))(?:/[0-9]+)?|[0-9]+|[A-Z]{3}", re.I)
"""`*` or a range, either with a step; a number; the name of a day or month."""
_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_NUMBERS = {name: number for number, name in enumerate(_MONTHS, 1)} | {
    name: number for number, name in enumerate(_DAYS)
}


def _is_plain(part: str) -> bool:
    """Whether every reader of cron takes this part of a field for the same."""
    found = _PART.fullmatch(part)
    if found is None or found[1] is None:
        return found is not None
    first, last = (int(_NUMBERS.get(end.lower(), end)) for end in found.group(1, 2))
    return first != last


def cron_fields(value: str) -> str:
    """The same text, if it is five cron fields that come true at some time.

    Raises:
        ValueError: it is not.
    """
    from datetime import UTC, datetime

    from cronsim import CronSim, CronSimError

    fields = value.split()
    plain = all(_is_plain(part) for field in fields for part in field.split(","))
    if len(fields) != 5 or not plain:
        raise ValueError(
            "expected five cron fields, for example '0 3 * * 1', of numbers, names and the signs"
            " '*', ',', '-' and '/'"
        )
    try:
        next(CronSim(value, datetime(2026, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise ValueError(
            "expected five cron fields that some time fits, for example '0 3 * * 1'"
        ) from None
    return value


def zone_name(value: str) -> str:
    """The same text, if it is the IANA name of a time zone.

    Raises:
        ValueError: it is not.
    """
    from zoneinfo import available_timezones

    if value not in available_timezones():
        raise ValueError("expected an IANA time zone, for example 'Europe/Berlin' or 'UTC'")
    return value
