"""What the service tells Prometheus of itself."""

from __future__ import annotations

import time
from collections.abc import Callable

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    generate_latest,
)

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


class Gauges:
    """The metrics of one service, in a registry of their own."""

    def __init__(self, waiting: Callable[[], int], seen: Callable[[], float]) -> None:
        self.registry = CollectorRegistry()
        own = self.registry
        self.requests = Counter(
            "patchae_requests",
            "Requests to score, by model and status.",
            ["model", "code"],
            registry=own,
        )
        self.images = Counter(
            "patchae_images",
            "Images that were judged.",
            ["model", "version", "decision"],
            registry=own,
        )
        self.seconds = Histogram(
            "patchae_request_seconds",
            "From the last byte of a request to its answer; not of one that never came whole.",
            ["model"],
            buckets=_SECONDS,
            registry=own,
        )
        self.asking = Histogram(
            "patchae_model_seconds",
            "That a model took for a batch.",
            ["model"],
            buckets=_SECONDS,
            registry=own,
        )
        self.batch = Histogram(
            "patchae_batch_images",
            "Images that were asked together.",
            ["model"],
            buckets=(1, 2, 4, 8, 16, 32),
            registry=own,
        )
        self.champion = Gauge(
            "patchae_champion",
            "1 for the version that answers.",
            ["model", "version"],
            registry=own,
        )
        self.problem = Gauge(
            "patchae_champion_not_served",
            "1 while the champion that is named is not the one that answers.",
            ["model"],
            registry=own,
        )
        Gauge("patchae_waiting_images", "Images that wait.", registry=own).set_function(
            lambda: float(waiting())
        )
        Gauge(
            "patchae_followed_seconds_ago",
            "Since MLflow and the ledger last said who is champion.",
            registry=own,
        ).set_function(lambda: time.time() - seen())
        ProcessCollector(registry=own)

    def batched(self, model: str, images: int, seconds: float) -> None:
        """A model answered a batch."""
        self.asking.labels(model).observe(seconds)
        self.batch.labels(model).observe(images)

    def text(self) -> bytes:
        """In Prometheus' text format."""
        return generate_latest(self.registry)
