"""The training itself, as a script: `python -P worker.py JOB`, with PYTHONPATH naming the source.

The patchae that it imports is the one that trained the version, which may be older than this file.
So it uses only what every version has: `Training`, `train`, `save`, `score`, `source_digest`.

JOB is a JSON file with the keys `images`, `digests`, `settings`, `device`, `threads`, `model` (the
folder to write), `weights_sha256` (the digest that is hoped for) and `tests`, images that are
scored when the digest is another. Progress and answer go to standard output, one JSON object a
line: `progress`, then `done` or `refused`.
"""

from __future__ import annotations

import json
import os
import sys
import threading
from pathlib import Path
from typing import Any

_lines = os.fdopen(os.dup(1), "w", buffering=1)


def _tell(**line: Any) -> None:
    _lines.write(json.dumps(line) + "\n")


def _end_with_parent() -> None:
    """Nobody waits for a training whose parent is gone: its end of the pipe then closes."""

    def wait() -> None:
        sys.stdin.buffer.read()
        os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


def _train(job: dict[str, Any]) -> dict[str, Any]:
    import torch

    from patchae.config import Training
    from patchae.files import sha256_file
    from patchae.model.key import source_digest
    from patchae.model.training import train

    torch.set_num_threads(job["threads"])
    model = train(
        [Path(one) for one in job["images"]],
        job["digests"],
        Training(**job["settings"]),
        device=job["device"],
        progress=lambda what, done, total: _tell(progress=[what, done, total]),
    )
    model.save(Path(job["model"]))
    rebuilt = sha256_file(Path(job["model"]) / "model.safetensors")
    same = rebuilt == job["weights_sha256"]
    return {
        "weights_sha256": rebuilt,
        "scores": [] if same else [one.score for one in model.score(job["tests"])],
        "settings": model.settings.model_dump(mode="json"),
        "backbone_sha256": model.facts["weights_sha256"],
        "source_sha256": source_digest(),
        "threads": torch.get_num_threads(),
    }


def _main() -> None:
    os.dup2(2, 1)  # what libraries print is no answer of ours
    _end_with_parent()
    job = json.loads(Path(sys.argv[1]).read_text())
    from pydantic import ValidationError

    from patchae.errors import PatchaeError

    try:
        _tell(done=_train(job))
    except PatchaeError as error:
        _tell(refused={"what": error.what, "where": error.where, "mend": error.mend})
    except ValidationError as error:
        first = error.errors()[0]
        _tell(
            refused={
                "what": "this patchae cannot train with the settings of the record: "
                f"{'.'.join(map(str, first['loc']))}: {first['msg']}",
                "where": "training.settings of lineage.json",
                "mend": "use the version of patchae that trained it",
            }
        )


if __name__ == "__main__":
    _main()
