"""DVC's configuration, read without DVC, which takes seconds to import."""

from __future__ import annotations

from collections.abc import Mapping
from configparser import ConfigParser, Error

from patchae.errors import ConfigError
from patchae.project import Project


def remote_address(project: Project) -> str | None:
    """The address of the default remote, if it is in S3.

    Raises:
        ConfigError: DVC's configuration cannot be read.
    """
    files = (project.root / ".dvc" / name for name in ("config", "config.local"))
    config = _parsed({str(file): file.read_bytes() for file in files if file.is_file()})
    name = config.get("core", "remote", fallback="")
    for section in config.sections():
        if section.strip("'") == f'remote "{name}"':
            url = config.get(section, "url", fallback="")
            return url if url.startswith("s3://") else None
    return None


def default_remote(text: str, where: str) -> str | None:
    """The name of the default remote in one file's text; None: the file names none.

    Raises:
        ConfigError: the text cannot be read.
    """
    return _parsed({where: text.encode()}).get("core", "remote", fallback=None)


def _parsed(files: Mapping[str, bytes]) -> ConfigParser:
    config = ConfigParser(interpolation=None)  # an address may hold a %
    for where, content in files.items():
        try:
            config.read_string(content.decode(), where)
        except (Error, UnicodeDecodeError) as error:
            # What stands there is not shown, since it may be a key.
            listed = [number for number, _ in getattr(error, "errors", ())]
            line = listed[0] if listed else getattr(error, "lineno", None)
            raise ConfigError(
                f"DVC's configuration cannot be read ({type(error).__name__})",
                where=f"{where}, line {line}" if line else where,
                mend="correct it; `dvc remote list` says whether DVC can read it",
            ) from None
    return config
