"""What happens by itself: schedules, the watch for drift, and how long things are kept."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field, model_validator

from patchae.config.base import Frozen, Name
from patchae.cron import cron_fields, zone_name


class Schedule(Frozen):
    """When a line is retrained by itself."""

    cron: Annotated[str, AfterValidator(cron_fields)]
    timezone: Annotated[str, AfterValidator(zone_name)] = "UTC"
    missed: Literal["once", "skip"] = "once"
    """What becomes of runs that nothing could begin when they were due: one run does the work of
    all, or none does."""


class DriftPolicy(Frozen):
    """How a line is watched for drift; see `docs/drift.md`."""

    schedule: Schedule | None = None
    """When `patchae deploy` has Prefect look; None: when somebody asks."""
    false_alarms_per_year: float = Field(1.0, gt=0, le=365)
    """Looks of the whole line that may find drift where there is none."""
    smallest_effect: float = Field(0.5, ge=0, le=100)
    """Smallest difference that matters, in standard deviations of the reference."""
    images: int = Field(200, ge=10, le=10_000)
    """Newest images that a look is at."""
    least_images: int = Field(50, ge=8, le=10_000)
    """With fewer that no look has had there is no look."""

    @model_validator(mode="after")
    def _possible(self) -> DriftPolicy:
        if self.least_images > self.images:
            raise ValueError(f"least_images {self.least_images} is more than images {self.images}")
        return self


Days = Annotated[int, Field(ge=1, le=36_500)]


class Retention(Frozen):
    """How long what is kept that nobody needs; `patchae tidy` removes it. See `docs/tidy.md`.

    `null` keeps something for ever. Nothing that the ledger names is ever removed.
    """

    schedule: Schedule = Schedule(cron="0 4 * * 0")
    """When `patchae deploy` has Prefect tidy."""
    work_pool: Name = "patchae"
    """Work pool whose workers have the project's folder, and an account that may move aliases."""
    keep_last: int = Field(5, ge=1)
    """Newest versions of each model that keep their weights, whatever their age."""
    unpromoted_models_days: Days | None = 90
    """After its last verdict, a version that never was champion lets go of its weights."""
    failed_runs_days: Days | None = 30
    """MLflow runs that ended without a version, with their files."""
    work_days: Days | None = 14
    """Trained models that were never registered, and what killed trainings left."""
    cache_days: Days | None = 30
    """Images in DVC's cache of versions that are not in use, if the remote holds them whole."""
    recent_days: Days | None = 30
    """Images that the scoring service kept to look for drift."""
    drift_days: Days | None = 180
    """Looks for drift; the newest of each model stays, and those that monitoring goes by."""
