"""A model that is loaded and asked in a process of its own, beside what a command does meanwhile.

To import torch and what lies on it takes longer than anything else that a rollback does, and no
longer when it is done while the command opens MLflow and checks files. So the process is started
first, and told which model is meant once that is known.

One line of JSON asks, one answers. The process ends when its input does, hence also when the
command that started it is killed; it writes nothing anywhere.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Self

from patchae import errors
from patchae.errors import PatchaeError


class Ended(Exception):
    """The process ended without an answer: it was killed, or it failed in a way unforeseen."""


class Beside:
    """A process that gets ready for a model, as a context: it is gone when the block ends."""

    def __enter__(self) -> Self:
        path = os.pathsep.join(os.path.abspath(folder) for folder in sys.path)  # noqa: PTH100
        self._process = subprocess.Popen(  # noqa: S603 - our own module
            # The same modules are found as here, and none in the current folder.
            [sys.executable, "-P", "-m", __name__],
            env={**os.environ, "PYTHONPATH": path},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,  # a Ctrl-C at the terminal is for the command, which ends this
        )
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()

    def score(self, model_folder: Path, image: Path) -> float:
        """The score that the model in the folder of an MLflow model gives an image file.

        Raises:
            DataError: the model cannot be loaded, or the image is none; otherwise as
                `loading.load_model`.
            Ended: there is no answer.
        """
        asked = json.dumps({"model_folder": str(model_folder), "image": str(image)})
        try:
            print(asked, file=self._process.stdin, flush=True)
        except BrokenPipeError:  # it ended before; how it ended is said below
            line = ""
        else:
            line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise Ended(f"the process that loads it ended with {self._process.wait()}")
        answer = json.loads(line)
        if "score" in answer:
            return float(answer["score"])
        kind: type[PatchaeError] = getattr(errors, answer.pop("kind"))
        raise kind(**answer)


def _serve() -> None:
    with os.fdopen(os.dup(1), "w") as answers:
        os.dup2(2, 1)  # what a library prints is no answer
        from patchae.model import detector  # noqa: F401 - this is what takes its time
        from patchae.registry.loading import load_model

        for line in sys.stdin:
            asked = json.loads(line)
            answer: dict[str, Any]
            try:
                model = load_model(Path(asked["model_folder"]))
                answer = {"score": model.score([Path(asked["image"])])[0].score}
            except PatchaeError as error:
                said = {"what": error.what, "where": error.where, "mend": error.mend}
                answer = {"kind": type(error).__name__, **said}
            print(json.dumps(answer), file=answers, flush=True)


if __name__ == "__main__":
    _serve()
