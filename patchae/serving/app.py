"""The scoring service: from HTTP to the champion and back.

    POST /v1/score/{model}     images in, scores and decisions out
    GET  /v1/models            who answers
    GET  /healthz /readyz      for whoever watches over the process
    GET  /metrics              for Prometheus
    GET  /docs /openapi.json   for whoever writes a client

An answer is given only after its decisions are in the log.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Path, Query, Request, Response
from fastapi.responses import HTMLResponse, JSONResponse, PlainTextResponse
from starlette.exceptions import HTTPException

from patchae import __version__
from patchae.serving.asked import files_of
from patchae.serving.help_page import help_page
from patchae.serving.judging import Parts, champion_of, judged
from patchae.serving.told import BODY, REASONS, Models, Scores, Served, State, refusals

_log = logging.getLogger("patchae.serving")


def service(parts: Parts) -> FastAPI:
    """The application."""
    app = FastAPI(
        title="patchae scoring service",
        version=__version__,
        docs_url=None,
        redoc_url=None,
    )
    following, gauges = parts.following, parts.gauges

    def known(request: Request) -> None:
        shown = request.headers.get("authorization", "")
        # Starlette reads heads as Latin-1: that gives back the bytes that were sent.
        if parts.token and not hmac.compare_digest(
            shown.encode("latin-1"), f"Bearer {parts.token}".encode()
        ):
            raise HTTPException(
                401, "show the token: Authorization: Bearer ...", {"WWW-Authenticate": "Bearer"}
            )

    guarded = [Depends(known)]

    @app.middleware("http")
    async def count(request: Request, call: Callable[[Request], Awaitable[Response]]) -> Response:
        try:
            response = await call(request)
        except Exception:  # noqa: BLE001 - whoever asks is told no more than that
            _log.exception("%s %s", request.method, request.url.path)
            response = JSONResponse({"detail": "the service failed; its log says more"}, 500)
        name = request.path_params.get("model")
        if request.url.path.startswith("/v1/score/"):
            told = name if name in following.slots else "unknown"
            gauges.requests.labels(told, response.status_code).inc()
            if arrived := getattr(request.state, "arrived", None):
                gauges.seconds.labels(told).observe(time.perf_counter() - arrived)
        return response

    @app.post(
        "/v1/score/{model}",
        dependencies=guarded,
        response_model_exclude_none=True,
        responses=refusals(*REASONS),
        response_description="the verdict on every image",
        openapi_extra={"requestBody": BODY},
    )
    async def score(
        model: Annotated[str, Path(description="registered name")],
        request: Request,
        map: Annotated[bool, Query(description="draw the anomaly map, too")] = False,  # noqa: A002
        mask: Annotated[bool, Query(description="draw what lies above the threshold")] = False,
    ) -> Scores:
        """Judge images by the champion of a model: all of a request by the same version."""
        champion_of(parts, model)  # whoever asks for what is not there is told before the body
        async with parts.budget.body(request) as body:
            request.state.arrived = arrived = time.perf_counter()
            # Only now: a body may take a while to come, and another may be champion by then.
            champion = champion_of(parts, model)
            files = await files_of(request, body, parts.limits)
            try:
                async with asyncio.timeout(parts.limits.answer_s):
                    return await judged(parts, champion, files, arrived, map_=map, mask=mask)
            except TimeoutError:
                raise HTTPException(
                    504, f"no answer after {parts.limits.answer_s:g} s", {"Retry-After": "1"}
                ) from None

    @app.get("/v1/models", dependencies=guarded, responses=refusals(401))
    async def models() -> Models:
        """Every model that is served, and the version that answers."""
        found = [(slot, slot.champion) for slot in following.slots.values()]
        return Models(
            models=[
                Served(
                    model=one.name,
                    version=one.version,
                    data_version=one.data_version,
                    threshold=one.threshold,
                    image_size=one.size,
                    problem=slot.problem,
                )
                for slot, one in found
                if one
            ]
        )

    @app.get("/healthz", response_class=PlainTextResponse)
    async def healthz() -> str:
        """The process lives."""
        return "ok\n"

    @app.get("/readyz", responses={503: {"model": State}})
    async def readyz(response: Response) -> State:
        """Every model can be asked; `problems` says which champions wait to be served."""
        slots = following.slots.values()
        ready = all(slot.champion for slot in slots)
        response.status_code = 200 if ready else 503
        return State(
            ready=ready, problems={slot.name: slot.problem for slot in slots if slot.problem}
        )

    @app.get(
        "/metrics",
        dependencies=guarded,
        response_class=PlainTextResponse,
        responses=refusals(401),
    )
    async def metrics() -> Response:
        """Counters, gauges and histograms for Prometheus."""
        for slot in following.slots.values():
            gauges.problem.labels(slot.name).set(float(slot.problem is not None))
        return Response(gauges.text(), media_type="text/plain; version=0.0.4; charset=utf-8")

    @app.get("/docs", include_in_schema=False, response_class=HTMLResponse)
    async def docs() -> str:
        return help_page(app.openapi())

    return app
