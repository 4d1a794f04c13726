"""Registry notifications, and how a reference falls into name, tag and digest."""

from collections.abc import Callable
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.events.image import parse
from downwind.model.event import Image, ImageReference, Message

DIGEST, OTHER = "sha256:" + "a" * 64, "sha256:" + "b" * 64
Make = Callable[..., Message]


@pytest.mark.parametrize("action", ["INSERT", "DELETE", "OF_THE_FUTURE"])
@pytest.mark.parametrize(
    "name", ["h-docker.pkg.dev/p/r/i", "gcr.io/p/i", "eu.gcr.io/example.com/p/a/b/c", "localhost:5000/i", "i"]
)
@pytest.mark.parametrize(("digest", "tag"), [(DIGEST, None), (None, "1.0"), (DIGEST, "latest")])
def test_every_combination_of_digest_and_tag_is_read(
    message: Make, action: str, name: str, digest: str | None, tag: str | None
) -> None:
    body = {"action": action, "digest": digest and f"{name}@{digest}", "tag": tag and f"{name}:{tag}"}
    (image,) = (parse(message(body)),)
    assert image == (Image(action=action, image=ImageReference(name=name, digest=digest, tag=tag)),)


@pytest.mark.parametrize(
    "body",
    [
        [],
        {},
        {"action": "INSERT"},
        {"action": "INSERT", "digest": None, "tag": ""},
        {"action": "in sert", "tag": "h/i:1"},
        {"action": 7, "tag": "h/i:1"},
        {"action": "INSERT", "tag": "h/i"},
        {"action": "INSERT", "tag": "h:5000/i"},
        {"action": "INSERT", "tag": "h/i:"},
        {"action": "INSERT", "tag": "h/i:.x"},
        {"action": "INSERT", "tag": "h/i:" + "x" * 129},
        {"action": "INSERT", "tag": "h//i:1"},
        {"action": "INSERT", "tag": "-h/i:1"},
        {"action": "INSERT", "tag": "h/../i:1;rm"},
        {"action": "INSERT", "tag": ["h/i:1"]},
        {"action": "INSERT", "digest": "h/i"},
        {"action": "INSERT", "digest": "h/i:1"},
        {"action": "INSERT", "digest": DIGEST},
        {"action": "INSERT", "digest": "h/i@"},
        {"action": "INSERT", "digest": "h/i@sha512:" + "a" * 128},
        {"action": "INSERT", "digest": f"h/i@{DIGEST.upper()}"},
        {"action": "INSERT", "digest": f"h/i@{DIGEST}@{DIGEST}"},
        {"action": "INSERT", "digest": {"h/i": DIGEST}},
        {"action": "INSERT", "digest": f"h/i@{DIGEST}", "tag": "h/j:1"},
    ],
)
def test_what_is_no_registry_notification_is_refused(message: Make, body: Any) -> None:
    with pytest.raises(Refused):
        parse(message(body))
