"""What is asked and what is answered, over a real connection."""

from __future__ import annotations

import base64
import dataclasses
import json
import threading
import time
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import numpy as np
import pytest
from PIL import Image
from starlette.testclient import TestClient

from patchae.files import sha256_file
from patchae.predictions.reading import predictions
from patchae.registry.loading import load_version
from patchae.serving import pictures
from patchae.serving.app import service as application
from patchae.serving.engine import LARGEST_BATCH
from tests.integration.serving.conftest import DISC, LENS, Service, running, until
from tests.integration.serving.test_hostile import encoded
from tests.support.plant import Works


def test_a_score_over_http_is_the_score_of_the_model(service: Service, works: Works) -> None:
    tracking = works.tracking()
    image = service.image("hole")
    told = service.post(image.read_bytes(), name="a part.png").json()
    model = load_version(tracking, tracking.version(LENS, told["version"]))
    (one,) = model.score([image])
    (said,) = told["images"]
    assert said["score"] == pytest.approx(one.score, abs=1e-6)
    assert said["decision"] == ("anomalous" if one.anomalous else "good")
    assert (said["name"], said["sha256"]) == ("a part.png", sha256_file(image))
    assert told["threshold"] == model.threshold
    assert "map" not in said


def test_the_three_forms_of_a_request_say_the_same(service: Service) -> None:
    files = [service.image("good"), service.image("hole")]
    single = [service.post(file.read_bytes()).json()["images"][0] for file in files]
    form = service.client.post(
        f"/v1/score/{LENS}", files=[("image", (file.name, file.read_bytes())) for file in files]
    ).json()["images"]
    body = {
        "images": [
            {"name": file.name, "data": base64.b64encode(file.read_bytes()).decode()}
            for file in files
        ]
    }
    as_json = service.client.post(f"/v1/score/{LENS}", json=body).json()["images"]
    assert form == as_json
    assert [one["sha256"] for one in form] == [one["sha256"] for one in single]
    assert [one["score"] for one in form] == pytest.approx([o["score"] for o in single], abs=1e-6)


def test_what_is_unlike_the_training_images_is_scored_and_named_or_refused(
    service: Service,
) -> None:
    with Image.open(service.image()) as image:
        grey, small = image.convert("L"), image.resize((9, 9))
    (one,) = service.post(encoded(grey)).json()["images"]
    assert one["warnings"] == ["grey, and the model learned from colour"]
    (one,) = service.post(encoded(small)).json()["images"]
    assert "9 x 9 px, far smaller than" in one["warnings"][0]
    (one,) = service.post(service.image().read_bytes()).json()["images"]
    assert one["warnings"] == []
    with Image.open(service.image()) as image:
        clear = image.convert("RGBA")
        exif = Image.Exif()
        exif[0x0112] = 6
        turned = encoded(image.convert("RGB"), "JPEG", exif=exif)
        phone = encoded(image, "MPO", save_all=True, append_images=[image])
    assert service.post(phone).json()["images"][0]["warnings"] == []
    clear.putalpha(100)
    (one,) = service.post(encoded(clear)).json()["images"]
    assert one["warnings"] == ["transparent, and what lies under the transparency is scored"]
    wide = encoded(Image.fromarray(np.full((32, 32), 4_000, np.uint16)))
    for content, why in ((wide, "an image of 16 bits"), (turned, "EXIF turns")):
        answer = service.post(content)
        assert (answer.status_code, why in answer.text) == (422, True)


def test_map_and_mask_are_what_the_model_sees(service: Service, works: Works) -> None:
    tracking = works.tracking()
    image = service.image("hole")
    told = service.post(image.read_bytes(), map=True, mask=True).json()
    (one,) = told["images"]
    map_, mask = (Image.open(BytesIO(base64.b64decode(one[key]))) for key in ("map", "mask"))
    assert map_.size == mask.size == (64, 64)
    assert map_.mode == "RGB"
    model = load_version(tracking, tracking.version(LENS, told["version"]))
    (seen,) = model.score([image])
    above = seen.map > model.threshold
    assert above.any()
    assert (np.asarray(mask) == above).mean() > 0.999  # alone or in a batch: 1e-6 apart


def test_a_mask_is_white_where_the_map_lies_above_the_threshold() -> None:
    anomaly = np.zeros((8, 8), np.float32)
    anomaly[:, :4] = 2.0
    seen = np.asarray(Image.open(BytesIO(pictures.mask(anomaly, 64, 1.0))))
    assert seen.shape == (64, 64)
    assert seen[:, :28].all()
    assert not seen[:, 36:].any()


def test_every_answer_is_in_the_log_when_it_comes(service: Service) -> None:
    image = service.image("good", 3)
    told = service.post(image.read_bytes(), name="logged.png").json()
    *_, last = predictions(service.project, images=[sha256_file(image)])
    assert (last.name, last.version, last.origin) == ("logged.png", told["version"], "service")
    assert last.score == told["images"][0]["score"]
    assert 0 < last.latency_ms < 60_000


def test_a_name_that_is_no_text_is_answered_and_logged(service: Service) -> None:
    """Half a character: in JSON, and in a form of a charset that can write one."""
    content = service.image("good", 4).read_bytes()
    text = {"images": [{"name": "\ud800.png", "data": base64.b64encode(content).decode()}]}
    form = (
        b'--x\r\nContent-Disposition: form-data; name="image"; filename="\\ud800.png"\r\n'
        b"Content-Type: image/png\r\n\r\n" + content + b"\r\n--x--\r\n"
    )
    for body, kind in (
        (json.dumps(text).encode(), "application/json"),
        (form, "multipart/form-data; boundary=x; charset=unicode_escape"),
    ):
        told = service.client.post(
            f"/v1/score/{LENS}", content=body, headers={"Content-Type": kind}
        )
        assert told.status_code == 200, told.text
        assert told.json()["images"][0]["name"] == r"\ud800.png"
        *_, last = predictions(service.project, images=[sha256_file(service.image("good", 4))])
        assert last.name == r"\ud800.png"


def test_models_health_and_metrics(service: Service) -> None:
    told = service.client.get("/v1/models").json()["models"]
    assert {one["model"] for one in told} == {LENS, DISC}
    assert told[0]["image_size"] == 64
    bare = httpx.Client(base_url=service.client.base_url, timeout=60)
    assert bare.get("/healthz").text == "ok\n"
    assert bare.get("/readyz").json() == {"ready": True, "problems": {}}
    assert bare.get("/metrics").status_code == 401
    service.post(service.image().read_bytes())
    text = service.client.get("/metrics").text
    assert f'patchae_requests_total{{code="200",model="{LENS}"}}' in text
    assert f'patchae_champion{{model="{DISC}",version="1"}} 1.0' in text
    assert "patchae_waiting_images 0.0" in text


def test_the_time_of_a_request_begins_with_its_last_byte(service: Service) -> None:
    """A slow camera is not a slow service."""
    content = service.image().read_bytes()
    value = service.parts.gauges.registry.get_sample_value
    name = "patchae_request_seconds_sum"

    def slowly() -> Iterator[bytes]:
        yield content[:100]
        threading.Event().wait(0.5)
        yield content[100:]

    before = value(name, {"model": LENS}) or 0.0
    began = time.perf_counter()
    told = service.client.post(
        f"/v1/score/{LENS}", content=slowly(), headers={"Content-Type": "image/png"}
    )
    took = time.perf_counter() - began
    assert told.status_code == 200
    assert 0 < (value(name, {"model": LENS}) or 0.0) - before <= took - 0.5


def test_a_token_may_have_any_letters(service: Service) -> None:
    token = "Schlüssel-鍵"  # noqa: S105
    parts = dataclasses.replace(service.parts, token=token)
    with TestClient(application(parts)) as client:
        for said, code in ((token, 200), ("Schlussel", 401)):
            shown = {"Authorization": f"Bearer {said}".encode()}
            assert client.get("/v1/models", headers=shown).status_code == code


def test_the_page_for_people_needs_no_network(service: Service) -> None:
    page = service.client.get("/docs").text
    assert "POST /v1/score/{model}" in page
    assert "src=" not in page
    assert "//" not in page.replace("http://localhost:8000", "").replace("</", "<")
    paths = service.client.get("/openapi.json").json()["paths"]
    assert set(paths) == {"/v1/score/{model}", "/v1/models", "/healthz", "/readyz", "/metrics"}


def test_models_of_one_preset_hold_their_networks_once(service: Service) -> None:
    lens, disc = (service.parts.following.slots[name].champion for name in (LENS, DISC))
    assert lens
    assert disc
    assert lens.detector.backbone is disc.detector.backbone
    assert lens.detector.members is not disc.detector.members


def test_onnx_runtime_gives_the_same_scores(works: Works, service: Service) -> None:
    image = service.image("hole").read_bytes()
    with running(works.plant.project, LENS, runtime="onnx") as other:
        (one,), (two,) = (each.post(image).json()["images"] for each in (service, other))
    assert one["score"] == pytest.approx(two["score"], abs=1e-3)


def test_images_are_kept_for_looks_at_drift(works: Works) -> None:
    with running(works.plant.project, LENS, keep=2, keep_most=2) as service:
        for number in range(6):
            service.post(service.image("good", number).read_bytes())
        service.post(service.image("good", 0).read_bytes())
        days = (service.project.recent / LENS).iterdir()
        kept = {file.name for day in days for file in day.iterdir()}
        images = [service.image("good", number) for number in (0, 2)]
        assert kept == {f"{sha256_file(image)}.png" for image in images}


def test_what_cannot_be_logged_is_not_answered(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(works.plant.project, LENS) as service:

        def full(_: object) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr(service.parts.log, "append", full)
            refused = service.post(service.image().read_bytes())
        assert refused.status_code == 503
        assert "logged" in refused.json()["detail"]
        assert service.version()


def test_an_error_in_a_model_is_an_answer_and_the_next_one_is_judged(
    works: Works, monkeypatch: pytest.MonkeyPatch
) -> None:
    with running(works.plant.project, LENS) as service:
        champion = service.parts.following.slots[LENS].champion
        assert champion

        def fails(_: object) -> None:
            raise RuntimeError("out of memory, at /secret/path")

        with monkeypatch.context() as patch:
            patch.setitem(champion.__dict__, "ask", fails)
            refused = service.post(service.image().read_bytes())
        assert refused.status_code == 500
        assert "secret" not in refused.text
        assert service.version()


def test_told_to_end_it_answers_what_it_has(works: Works, monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[int] = []
    go_on = threading.Event()
    with running(works.plant.project, LENS) as service:
        champion = service.parts.following.slots[LENS].champion
        assert champion
        real = champion.ask

        def held(*given: Any) -> Any:
            go_on.wait(120)
            return real(*given)

        monkeypatch.setitem(champion.__dict__, "ask", held)
        content = service.image().read_bytes()
        body = json.dumps({"images": [{"data": base64.b64encode(content).decode()}] * 40}).encode()

        def ask() -> None:
            told = httpx.post(
                f"http://127.0.0.1:{service.port}/v1/score/{LENS}",
                content=body,
                headers={"Content-Type": "application/json"},
                timeout=60,
            )
            answers.append(told.status_code)

        threads = [threading.Thread(target=ask) for _ in range(3)]
        for one in threads:
            one.start()
        # All have their places but those of the batch that the model has.
        until(lambda: service.parts.engine.waiting >= 3 * 40 - LARGEST_BATCH)
        go_on.set()
    for one in threads:
        one.join()
    assert answers == [200] * 3
