"""Jobs on tiny classes, trained for real and without MLflow or Prefect."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.flows.plant import Plant


@pytest.fixture(scope="module")
def plant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Plant]:
    """An empty project, shared by the tests of a module."""
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # images are tiny: threads would only wait for each other
    yield Plant(tmp_path_factory.mktemp("steps") / "plant")
    torch.set_num_threads(threads)
