"""The address of the project's DVC remote, read from DVC's configuration without DVC."""

from __future__ import annotations

from configparser import ConfigParser, Error

from patchae.errors import ConfigError
from patchae.project import Project


def remote_address(project: Project) -> str | None:
    """The address of the default remote, if it is in S3.

    Raises:
        ConfigError: DVC's configuration cannot be read.
    """
    config = ConfigParser(interpolation=None)  # an address may hold a %
    for file in (project.root / ".dvc" / "config", project.root / ".dvc" / "config.local"):
        try:
            config.read(file, encoding="utf-8")
        except (Error, UnicodeDecodeError) as error:
            # What stands there is not shown, since it may be a key.
            listed = [number for number, _ in getattr(error, "errors", ())]
            line = listed[0] if listed else getattr(error, "lineno", None)
            raise ConfigError(
                f"DVC's configuration cannot be read ({type(error).__name__})",
                where=f"{file}, line {line}" if line else str(file),
                mend="correct it; `dvc remote list` says whether DVC can read it",
            ) from None
    name = config.get("core", "remote", fallback="")
    for section in config.sections():
        if section.strip("'") == f'remote "{name}"':
            url = config.get(section, "url", fallback="")
            return url if url.startswith("s3://") else None
    return None
