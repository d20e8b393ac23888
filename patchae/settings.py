"""What the environment decides: where patchae's own state lies and what it runs on.

Standard variables of other tools win where they exist (`MLFLOW_TRACKING_URI`, `PREFECT_API_URL`,
`AWS_*`); patchae's own have the prefix `PATCHAE_`. Secrets come from the environment only.
"""

from __future__ import annotations

import getpass
import os
from pathlib import Path
from typing import Literal

from pydantic import Field, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from patchae.errors import ConfigError


class Settings(BaseSettings):
    """Settings with the prefix `PATCHAE_`; each call of `settings()` reads them anew."""

    model_config = SettingsConfigDict(
        env_prefix="PATCHAE_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    state: Path = Field(Path(".patchae"), description="folder for everything not in Git")
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="what to train on")
    slots: int = Field(1, ge=1, description="classes trained side by side")
    machine: str | None = Field(
        None,
        pattern=r"^[A-Za-z0-9._-]*$",
        description="name of this machine, whose places trainings take; default: that of the host;"
        " empty: it has none",
    )
    project: str = Field("", description="name of the project in Prefect; default: its folder's")
    actor: str = Field("", description="who moves models; default: the login name")
    ledger_url: str = Field("", description="PostgreSQL database of the ledger")
    ledger_key: str = Field("", description="file of the private key that signs the ledger")
    workplaces: Path = Field(
        Path("~/.cache/patchae"), description="folder of projects that a worker trains for"
    )
    workplace_gb: float = Field(50.0, gt=0, description="GB of images that a workplace keeps")
    predictions: str = Field("", description="s3://bucket/prefix of logged decisions")
    predictions_days: int = Field(
        0, ge=0, le=36_500, description="days that decisions are kept here; 0: all"
    )
    token: str = Field("", description="what askers of the scoring service must show")
    lock_timeout: float = Field(600.0, ge=0, description="seconds to wait for another process")

    def who(self) -> str:
        """The name that the ledger records for what this process does."""
        if self.actor:
            return self.actor
        try:
            return getpass.getuser()
        except (KeyError, OSError):  # a container whose user id has no name
            return "unknown"


def settings() -> Settings:
    """The settings of this process, read from the environment.

    Raises:
        ConfigError: a variable holds what it cannot hold.
    """
    # Of this one variable, empty means something else than unset.
    no_machine = os.environ.get("PATCHAE_MACHINE") == ""
    try:
        return Settings(machine="") if no_machine else Settings()
    except ValidationError as error:
        first = error.errors()[0]
        name = f"PATCHAE_{'_'.join(str(part) for part in first['loc']).upper()}"
        raise ConfigError(
            f"{name} is not usable: {first['msg']}",
            where="the environment",
            mend=f"set {name} to a valid value or unset it",
        ) from None
