"""The command that runs the scoring service."""

from __future__ import annotations

from typing import Annotated

import typer

from patchae.cli.output import TrustedKeys, here


def add_to(app: typer.Typer) -> None:
    """Register the command."""
    app.command("serve-model")(serve_model)


def serve_model(
    models: Annotated[list[str], typer.Argument(help="MODEL...: their champions answer.")],
    *,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port to listen on.", min=1, max=65535)] = 8000,
    follow: Annotated[
        float, typer.Option(help="Look for another champion every so many seconds.", min=0.2)
    ] = 5.0,
    runtime: Annotated[str, typer.Option(help="What computes: torch or onnx.")] = "torch",
    key: TrustedKeys = None,
    batch: Annotated[int, typer.Option(help="Images asked together at most.", min=1)] = 8,
    queue: Annotated[int, typer.Option(help="Images that may wait; more is 429.", min=1)] = 128,
    max_body: Annotated[float, typer.Option(help="MB of one request.", min=0.001)] = 64.0,
    max_images: Annotated[int, typer.Option(help="Images of one request.", min=1)] = 64,
    max_pixels: Annotated[float, typer.Option(help="Megapixels of one image.", min=0.001)] = 50.0,
    timeout: Annotated[float, typer.Option(help="Seconds until 504.", min=0.1)] = 30.0,
    keep: Annotated[
        int, typer.Option(help="Keep every Nth image for looks at drift; 0: none.", min=0)
    ] = 0,
    keep_most: Annotated[int, typer.Option(help="Images kept of a model and day.", min=1)] = 1000,
    without_token: Annotated[
        bool, typer.Option("--without-token", help="Serve other machines without PATCHAE_TOKEN.")
    ] = False,
) -> None:
    """Answer over HTTP with the champions of some models, and follow promotions."""
    from patchae.console import watch
    from patchae.errors import UsageError
    from patchae.registry.signing import read_public
    from patchae.serving.asked import Limits
    from patchae.serving.running import Wish, serve

    if runtime not in ("torch", "onnx"):
        raise UsageError(f"no runtime is called '{runtime}'", mend="--runtime torch, or onnx")
    project = here()
    wish = Wish(
        host=host,
        port=port,
        every_s=follow,
        runtime="onnx" if runtime == "onnx" else "torch",
        keys=tuple(read_public(one) for one in key) if key else None,
        limits=Limits(
            body_bytes=int(max_body * 1e6),
            images=max_images,
            pixels=int(max_pixels * 1e6),
            answer_s=timeout,
        ),
        largest_batch=batch,
        most_waiting=queue,
        keep=keep,
        keep_most=keep_most,
        without_token=without_token,
    )
    with watch():
        serve(project, models, wish)
