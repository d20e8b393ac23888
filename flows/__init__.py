"""patchae on Prefect: one file per flow, each calling the library. Nothing else imports Prefect."""

from __future__ import annotations

from pydantic import ValidationError
from pydantic_settings import SettingsError

from patchae.errors import ConfigError

try:
    # Prefect reads its settings once, while it is imported: the environment, .env, prefect.toml,
    # pyproject.toml and the profile.
    import prefect.context  # noqa: F401
except (ValidationError, SettingsError, UnicodeDecodeError) as error:
    first = str(error.errors()[0]["msg"]) if isinstance(error, ValidationError) else str(error)
    raise ConfigError(
        f"Prefect's settings are not usable: {first}",
        where="PREFECT_*, .env, prefect.toml or the profile",
        mend="correct it; `prefect config view` shows where each setting comes from",
    ) from None
