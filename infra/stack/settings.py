"""Where the stack lies and listens: `STACK_*` from the environment or from one file."""

from __future__ import annotations

import json
import os
import re
import socket
from collections.abc import Collection
from functools import cached_property
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, ValidationError, field_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import BaseSettings, SettingsConfigDict

from patchae.errors import ConfigError
from patchae.files import write_text

ROOT = Path(__file__).parents[2]
"""The repository."""
FILE = ROOT / "infra" / "stack.env"
"""Read if it is there; `stack.env.example` shows what it may hold."""
Server = Literal["postgres", "s3", "mlflow", "prefect"]
SERVERS: tuple[Server, ...] = ("postgres", "s3", "mlflow", "prefect")
_S3_INNER = ("s3_master", "s3_volume", "s3_filer")
_GRPC = 10_000
"""SeaweedFS listens as many ports above each of its own."""


_ADDRESS = re.compile(r"https?://([\w.-]+|\[[\da-f:]+\])(:\d+)?(/\S*)?", re.IGNORECASE)


class Settings(BaseSettings):
    """Settings with the prefix `STACK_`; the environment wins over the file."""

    model_config = SettingsConfigDict(
        env_prefix="STACK_", env_ignore_empty=True, frozen=True, extra="ignore"
    )

    home: Path = Field(ROOT / ".stack", description="folder of everything the stack writes")
    bind: str = Field("127.0.0.1", description="address that servers listen on")
    postgres_host: str = Field("127.0.0.1", description="where the others find PostgreSQL")
    postgres_port: int = Field(5433, ge=0, description="its port; 0: any that is free")
    s3_host: str = Field("127.0.0.1", description="where the others find S3")
    s3_port: int = Field(8333, ge=0, description="its port; 0: any that is free")
    mlflow_host: str = Field("127.0.0.1", description="where the others find MLflow")
    mlflow_port: int = Field(5000, ge=0, description="its port; 0: any that is free")
    prefect_host: str = Field("127.0.0.1", description="where the others find Prefect's server")
    prefect_port: int = Field(4200, ge=0, description="its port; 0: any that is free")
    prefect_ui_api_url: str = Field(
        "", description="where browsers find Prefect's API; empty: where the others do"
    )
    mlflow_url: str = Field(
        "", description="where others than the stack find MLflow; empty: where the stack does"
    )
    mlflow_trainers: str = Field(
        "", description="other accounts of MLflow that train, with commas between them"
    )
    mlflow_promoters: str = Field("", description="other accounts of MLflow that promote")
    pool: str = Field("patchae", description="work pool of the workers")
    workers: int = Field(2, ge=0, description="workers that are started")
    worker_account: Literal["trainer", "promoter"] = Field(
        "promoter", description="account that the workers have"
    )
    machine: str = Field(
        "", description="machine whose places the workers share; empty: by its host name"
    )

    @field_validator("mlflow_url")
    @classmethod
    def _is_an_address(cls, value: str) -> str:
        if value and (not _ADDRESS.fullmatch(value) or urlsplit(value).port == 0):
            raise PydanticCustomError("address", "it must be https://HOST or http://HOST:PORT")
        return value

    @cached_property
    def ports(self) -> dict[str, int]:
        """The port of each server, and SeaweedFS's inner ones; the same at every start."""
        file = self.home / "ports.json"
        kept: dict[str, int] = json.loads(file.read_text()) if file.exists() else {}
        found: dict[str, int] = {}
        for name in (*SERVERS, *_S3_INNER):
            wanted = getattr(self, f"{name}_port", 0)
            found[name] = wanted or kept.get(name) or free_ports(1, set(found.values()))[0]
        if found != kept and self.home.exists():
            write_text(file, json.dumps(found))
        return found

    def url(self, server: Server) -> str:
        """Where a server that speaks HTTP is found."""
        return f"http://{getattr(self, f'{server}_host')}:{self.ports[server]}"

    def database(self, name: str, user: str, password: str, driver: str) -> str:
        """The URL of a database, for SQLAlchemy."""
        where = f"{self.postgres_host}:{self.ports['postgres']}"
        return f"postgresql+{driver}://{user}:{password}@{where}/{name}"


def settings() -> Settings:
    """The settings of the stack.

    Raises:
        ConfigError: one of them is not usable.
    """
    file = Path(os.environ.get("STACK_ENV_FILE") or FILE)
    try:
        found = Settings(_env_file=file if file.exists() else None)
    except ValidationError as error:
        first = error.errors()[0]
        name = f"STACK_{'_'.join(str(part) for part in first['loc']).upper()}"
        raise ConfigError(
            f"{name} is not usable: {first['msg']}",
            where=f"the environment or {file}",
            mend="infra/stack.env.example shows what it may hold",
        ) from None
    return found.model_copy(update={"home": (ROOT / found.home).resolve()})


def free_ports(count: int, taken: Collection[int] = ()) -> tuple[int, ...]:
    """Ports that nobody uses, nor those 10,000 above them."""
    found: list[int] = []
    while len(found) < count:
        with socket.socket() as probe, socket.socket() as above:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
            if port + _GRPC > 65_535 or port in taken or port in found:
                continue
            try:
                above.bind(("127.0.0.1", port + _GRPC))
            except OSError:
                continue
            found.append(port)
    return tuple(found)
