"""What the service answers, as it documents it."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

REASONS = {
    400: "the body is not what its Content-Type says",
    401: "the token is missing or another one",
    404: "no such model is served here",
    408: "the body took too long to come",
    413: "the body is too large, or has too many images",
    415: "the Content-Type is none of those above",
    422: "an image cannot be judged: which one, and why",
    429: "too much waits already; Retry-After says when to ask again",
    503: "the model has no champion yet, or decisions cannot be logged",
    504: "there was no answer in time",
}
"""Why there is no answer, by status."""


class Judged(BaseModel):
    """The verdict on one image."""

    name: str = Field(description="what the asker called it; empty if it was not said")
    sha256: str = Field(description="of the file's bytes as they came")
    score: float = Field(description="anomaly score, above 0")
    decision: Literal["good", "anomalous"] = Field(description="anomalous above the threshold")
    warnings: list[str] = Field(
        [], description="what makes the score doubtful: the image is unlike those learned from"
    )
    map: str | None = Field(
        None, description="with ?map=true: PNG in base64, the image under its anomaly map"
    )
    mask: str | None = Field(
        None, description="with ?mask=true: PNG in base64, white above the threshold"
    )


class Scores(BaseModel):
    """The answer to one request: all of its images, judged by one version."""

    model: str
    version: str
    data_version: str = Field(description="what that version was trained on")
    threshold: float = Field(description="scores above it are alarms")
    images: list[Judged]


class Served(BaseModel):
    """One model, and who answers for it."""

    model: str
    version: str
    data_version: str
    threshold: float
    image_size: int = Field(description="side of the square that the model sees, px")
    problem: str | None = Field(
        None, description="what keeps the champion that is named from being served"
    )


class Models(BaseModel):
    """All models that are served."""

    models: list[Served]


class State(BaseModel):
    """Whether the service is fit to be asked."""

    ready: bool
    problems: dict[str, str] = Field(description="by model, what keeps its champion from serving")


class Refused(BaseModel):
    """Why there is no answer."""

    detail: str


def refusals(*codes: int) -> dict[int | str, dict[str, Any]]:
    """For FastAPI: the refusals that a call knows."""
    return {code: {"model": Refused, "description": REASONS[code]} for code in codes}


_BINARY = {"schema": {"type": "string", "format": "binary"}}
BODY: dict[str, Any] = {
    "required": True,
    "content": {
        **dict.fromkeys(
            ("image/png", "image/jpeg", "image/bmp", "image/tiff", "image/webp"), _BINARY
        ),
        "multipart/form-data": {
            "schema": {
                "type": "object",
                "properties": {
                    "image": {"type": "array", "items": {"type": "string", "format": "binary"}}
                },
            }
        },
        "application/json": {
            "schema": {
                "type": "object",
                "required": ["images"],
                "properties": {
                    "images": {
                        "type": "array",
                        "items": {
                            "type": "object",
                            "required": ["data"],
                            "properties": {
                                "name": {"type": "string"},
                                "data": {"type": "string", "format": "byte"},
                            },
                        },
                    }
                },
            }
        },
    },
}
