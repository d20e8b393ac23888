"""What an account may do in MLflow: everybody reads, trainers write, promoters move aliases.

MLflow's own permissions cannot say this: EDIT on a model is needed to add a version, and allows to
move its aliases, too; whoever makes a model may delete it. So the server asks this function, its
`authorization_function`, about every request: it checks name and password as MLflow's own does, and
then the table below. It runs inside the server, and decides by method and path alone.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from werkzeug.datastructures import Authorization
    from werkzeug.wrappers import Response

Role = Literal["viewer", "trainer", "promoter"]
TRAINERS, PROMOTERS = "STACK_MLFLOW_TRAINERS", "STACK_MLFLOW_PROMOTERS"
"""Environment: names of accounts beside those of the stack, with commas between them."""
_ASKING = {"search", "graphql", "get-latest-versions", "batchGet", "metrics", "query"}
"""Last words of paths that are asked with POST and change nothing."""
_REGISTERING = {"create", "update", "set-tag"}
"""What a trainer does to models and their versions."""


def role_of(name: str) -> Role:
    """What an account is: its name says it, or one of the lists; all others only read."""

    def named(role: Role, variable: str) -> bool:
        return name in (role, *os.environ.get(variable, "").replace(" ", "").split(","))

    if named("promoter", PROMOTERS):
        return "promoter"
    return "trainer" if named("trainer", TRAINERS) else "viewer"


def allowed(role: Role, method: str, path: str) -> bool:
    """Whether a request may go on; what MLflow itself refuses is refused all the same."""
    words = [word for word in path.split("/") if word]
    last = words[-1] if words else ""
    if method in ("GET", "HEAD", "OPTIONS"):
        return True
    if "mlflow-artifacts" in words:  # names of files follow, which may be any words
        return role == "promoter" or (role == "trainer" and method != "DELETE")
    own_password = words[-2:] == ["users", "update-password"]  # MLflow sees to it that it is
    if own_password or (method == "POST" and last in _ASKING):
        return True
    if role == "viewer" or {"users", "roles", "permissions"} & set(words):
        return False
    return role == "promoter" or _trainer_may(method, words, last)


def _trainer_may(method: str, words: list[str], last: str) -> bool:
    if {"registered-models", "model-versions"} & set(words):
        return last in _REGISTERING
    return method != "DELETE" and not last.startswith(("delete", "restore"))


def authorize() -> Authorization | Response:
    """Who asks, as MLflow wants to know it; or the answer that refuses."""
    from flask import make_response, request
    from mlflow.server import auth
    from werkzeug.wrappers import Response

    found: Authorization | Response = auth.authenticate_request_basic_auth()
    if isinstance(found, Response):
        return found
    name = str(found.username)
    admin = bool(auth.store.get_user(name).is_admin)
    if admin or allowed(role_of(name), request.method, request.path):
        return found
    return make_response(f"Permission denied: {name} is a {role_of(name)} here", 403)
