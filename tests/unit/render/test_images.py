"""Which image references are pinned, and where they are looked for."""

from typing import Any

import pytest

from downwind.render.images import image_name, pin_images

DIGEST = "sha256:" + "a" * 64
OTHER = "sha256:" + "b" * 64
NAME = "us-central1-docker.pkg.dev/acme/apps/shop"
IMAGES = {NAME: DIGEST, "127.0.0.1:5000/shop": OTHER}


@pytest.mark.parametrize(
    ("reference", "name"),
    [
        (NAME, NAME),
        (f"{NAME}:v1", NAME),
        (f"{NAME}@{OTHER}", NAME),
        (f"{NAME}:v1@{OTHER}", NAME),
        ("127.0.0.1:5000/shop", "127.0.0.1:5000/shop"),
        ("127.0.0.1:5000/shop:v1", "127.0.0.1:5000/shop"),
        (f"127.0.0.1:5000/shop@{DIGEST}", "127.0.0.1:5000/shop"),
        ("nginx:1.27", "nginx"),
        ("nginx", "nginx"),
    ],
)
def test_a_name_has_neither_tag_nor_digest_but_may_have_a_port(reference: str, name: str) -> None:
    assert image_name(reference) == name


POD = {
    "containers": [{"image": NAME}, {"image": "nginx:1"}],
    "initContainers": [{"image": f"{NAME}:v1"}],
    "ephemeralContainers": [{"image": f"{NAME}:v1@{OTHER}"}],
    "volumes": [{"name": "a", "image": {"reference": f"{NAME}:v2"}}, {"emptyDir": {}}],
}
PINNED = {
    "containers": [{"image": f"{NAME}@{DIGEST}"}, {"image": "nginx:1"}],
    "initContainers": [{"image": f"{NAME}@{DIGEST}"}],
    "ephemeralContainers": [{"image": f"{NAME}@{DIGEST}"}],
    "volumes": [{"name": "a", "image": {"reference": f"{NAME}@{DIGEST}"}}, {"emptyDir": {}}],
}


def copy_of(pod: dict[str, Any]) -> dict[str, Any]:
    return {key: [dict(item) for item in items] for key, items in pod.items()} | {
        "volumes": [
            {**volume, **({"image": dict(volume["image"])} if "image" in volume else {})} for volume in pod["volumes"]
        ]
    }


@pytest.mark.parametrize(
    "path",
    [
        pytest.param(("spec",), id="Pod"),
        pytest.param(("template", "spec"), id="PodTemplate"),
        pytest.param(("spec", "template", "spec"), id="Deployment, StatefulSet, DaemonSet, ReplicaSet, Job, Rollout"),
        pytest.param(("spec", "jobTemplate", "spec", "template", "spec"), id="CronJob"),
    ],
)
def test_every_container_of_a_pod_is_pinned_wherever_the_kind_keeps_its_pod(path: tuple[str, ...]) -> None:
    value: Any = copy_of(POD)
    wanted: Any = PINNED
    for key in reversed(path):
        value, wanted = {key: value}, {key: wanted}
    assert pin_images(value, IMAGES) == {NAME}
    assert value == wanted


@pytest.mark.parametrize(
    "reference",
    [
        f"{NAME}-worker:v1",
        f"{NAME}/worker",
        f"eu.{NAME}",
        NAME.upper(),
        "acme/apps/shop",
        "shop",
        "127.0.0.1:5001/shop:v1",
        "127.0.0.1/shop",
        f" {NAME}",
        "",
    ],
)
def test_a_name_that_only_looks_alike_is_left_alone(reference: str) -> None:
    value = {"spec": {"containers": [{"image": reference}]}}
    assert pin_images(value, IMAGES) == set()
    assert value == {"spec": {"containers": [{"image": reference}]}}


@pytest.mark.parametrize(
    "value",
    [
        {"data": {"image": NAME, "containers": NAME}},
        {"spec": {"containers": {"a": {"image": NAME}}}},
        {"spec": {"containers": [NAME, 5, None, {"name": "no image"}, {"image": 5}]}},
        {"spec": {"volumes": [{"image": NAME}, NAME], "image": NAME}},
    ],
)
def test_what_is_no_container_is_not_touched(value: dict[str, Any]) -> None:
    before = repr(value)
    assert pin_images(value, IMAGES) == set()
    assert repr(value) == before
