"""An image into a registry, by the distribution API. Loopback only: a laptop's build reaches nobody's real registry."""

import re
import time
from urllib.parse import urljoin

import requests

from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.image import MANIFEST, Image, digest_of

_REFERENCE = re.compile(
    r"(?P<host>[a-zA-Z0-9.-]+(:[0-9]+)?)/(?P<name>[a-z0-9]+([._/-]+[a-z0-9]+)*)(:(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}))?"
)


PATIENCE = 20.0


def full_reference(reference: str) -> str:
    """With its tag (`latest` when none is given). Raises BuildFailure for what names no registry."""
    match = _REFERENCE.fullmatch(reference)
    if match is None or not ("." in match["host"] or ":" in match["host"] or match["host"] == "localhost"):
        raise BuildFailure(f"{reference} is no image name with a registry's host")
    return f"{match['host']}/{match['name']}:{match['tag'] or 'latest'}"


def upload(image: Image, reference: str, *, timeout: float = 20, mirror: str | None = None) -> None:
    """Pushes what the registry does not have yet, the manifest last, so that a tag never names half an image.

    A registry that is not on this machine is played by `mirror`, under the whole name: nothing in a repository has to be
    changed to be built here.
    """
    match = _REFERENCE.fullmatch(full_reference(reference))
    if match is None:
        raise BuildFailure(f"{reference} is no image name")
    host, name = match["host"], match["name"]
    if host.partition(":")[0] not in {"127.0.0.1", "localhost"}:
        if mirror is None:
            raise BuildFailure(f"{reference}: the local builder pushes to registries on this machine only")
        host, name = mirror, f"{host}/{name}"
    base = f"http://{host}/v2/{name}"
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            return _put(image, base, match["tag"], timeout)
        except requests.RequestException as error:
            # As `docker push` does: what is there already is not sent twice.
            if time.monotonic() > deadline:
                raise BuildFailure(f"{reference}: the registry did not answer: {type(error).__name__}") from error
        time.sleep(0.3)


def _put(image: Image, base: str, tag: str, timeout: float) -> None:
    with requests.Session() as session:
        session.trust_env = False
        for digest, content in image.blobs.items():
            if session.head(f"{base}/blobs/{digest}", timeout=timeout).status_code == 200:
                continue
            start = _checked(session.post(f"{base}/blobs/uploads/", timeout=timeout), 202)
            place = urljoin(f"{base}/", start.headers["Location"])
            joint = "&" if "?" in place else "?"  # a registry's own state in there is given back as it came
            _checked(session.put(f"{place}{joint}digest={digest}", data=content, timeout=timeout), 201)
        answer = session.put(
            f"{base}/manifests/{tag}",
            data=image.manifest,
            headers={"Content-Type": MANIFEST},
            timeout=timeout,
        )
        _checked(answer, 201)
        if answer.headers.get("Docker-Content-Digest", image.digest) != digest_of(image.manifest):
            raise BuildFailure(f"{base}: the registry took another digest than {image.digest}")


def _checked(answer: requests.Response, status: int) -> requests.Response:
    if answer.status_code != status:
        raise BuildFailure(f"the registry answered {answer.status_code} to {answer.request.method} {answer.url}")
    return answer
