"""What viewer, trainer and promoter need to know, each in a file that a shell reads."""

from __future__ import annotations

from infra.stack import postgres, prefect, s3
from infra.stack.keys import ACCOUNTS, Keys, private
from infra.stack.settings import Settings


def environment(settings: Settings, keys: Keys, account: str) -> dict[str, str]:
    """The environment of an account: addresses, names and passwords, and what machine it is on.

    Prefect has one key for everything, so a viewer has none.
    """
    found = {
        "MLFLOW_TRACKING_URI": settings.url("mlflow"),
        "MLFLOW_TRACKING_USERNAME": account,
        "MLFLOW_TRACKING_PASSWORD": keys[f"mlflow_{account}"],
        "PATCHAE_LEDGER_URL": postgres.ledger_url(settings, keys, account),
        **s3.environment(settings, account, keys[f"s3_{account}"]),
    }
    if settings.machine:
        found["PATCHAE_MACHINE"] = settings.machine
    if account != "viewer":
        found |= prefect.client_environment(settings, keys)
    return found


def write(settings: Settings, keys: Keys) -> None:
    """The files under `env/`."""
    for account in ACCOUNTS:
        lines = [f"export {n}='{v}'\n" for n, v in environment(settings, keys, account).items()]
        private(settings.home / "env" / account, "".join(lines))
