"""The aliases of registered models as MLflow keeps them, see `patchae.registry.aliases`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from patchae.registry.mlflow_answers import absent, is_server, translated

if TYPE_CHECKING:
    from mlflow import MlflowClient

_NO_ALIAS = "patchae-access"
"""An alias that no model has."""


class MlflowAliases:
    """Aliases of registered models; what `patchae.registry.promotion` moves."""

    def __init__(self, uri: str, client: MlflowClient) -> None:
        self._uri = uri
        self._client = client

    def get(self, model: str) -> Mapping[str, str]:
        """All aliases of a model, each with its version; none when the model does not exist."""
        from mlflow.exceptions import MlflowException

        with translated(self._uri):
            try:
                found = self._client.get_registered_model(model).aliases
            except MlflowException as error:
                if absent(error):
                    return {}
                raise
        return {alias: str(version) for alias, version in found.items()}

    def has(self, model: str, version: str, run: str | None = None) -> bool:
        """As `Aliases.has`; MLflow keeps nothing of a version that was deleted."""
        from mlflow.exceptions import MlflowException

        with translated(self._uri):
            try:
                found = self._client.get_model_version(model, version)
            except MlflowException as error:
                if absent(error):
                    return False
                raise
        return run is None or found.run_id == run

    def check_may_move(self, model: str) -> None:
        """As `Aliases.check_may_move`: by taking away an alias that is not there."""
        from mlflow.exceptions import MlflowException

        if not is_server(self._uri):
            return
        with translated(self._uri):
            try:
                self._client.delete_registered_model_alias(model, _NO_ALIAS)
            except MlflowException as error:
                if not absent(error):
                    raise

    def set(self, model: str, alias: str, version: str) -> None:
        """Point an alias at a version."""
        with translated(self._uri):
            self._client.set_registered_model_alias(model, alias, version)

    def tag(self, model: str, version: str, name: str, value: str | None) -> None:
        """Set a tag of a version; None: take it away."""
        with translated(self._uri):
            if value is None:
                self._client.delete_model_version_tag(model, version, name)
            else:
                self._client.set_model_version_tag(model, version, name, value)

    def delete(self, model: str, alias: str) -> None:
        """Take an alias away."""
        with translated(self._uri):
            self._client.delete_registered_model_alias(model, alias)
