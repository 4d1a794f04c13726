"""Same input, same bytes: on any machine, today and in a year. Other bytes are another renderer (reconcile/due.py), and then
`python -m tests.unit.render.test_golden` writes these files anew."""

from pathlib import Path

from downwind.model.policy import ImagePath, Rules
from downwind.reconcile.due import RENDERER
from downwind.reconcile.stamp import stamp
from downwind.render.bundle import ReleaseFacts, make_bundle
from downwind.render.yaml_reader import read_documents

GOLDEN = Path(__file__).parent / "golden"
RELEASE = ReleaseFacts(
    application="shop",
    environment="staging",
    namespace="shop",
    commit="c" * 40,
    images={
        "registry.example:5000/acme/shop": "sha256:" + "a" * 64,
        "registry.example:5000/acme/other": "sha256:" + "b" * 64,
    },
    repository="https://git.example/acme/shop.git",
    rules=Rules(image_paths=(ImagePath(kind="flink.apache.org/*", path="spec.image"),)),
)


def rendered() -> bytes:
    return make_bundle(read_documents("manifests.yaml", (GOLDEN / "manifests.yaml").read_bytes()), RELEASE).documents


def stamped(documents: bytes) -> bytes:
    return stamp(documents, application="shop", environment="staging", namespace="shop", sequence=42)


def test_the_bundle_has_the_bytes_of_its_renderer() -> None:
    assert rendered() == (GOLDEN / f"bundle-{RENDERER}.yaml").read_bytes()


def test_the_stamped_bundle_has_the_same_bytes_too() -> None:
    assert stamped(rendered()) == (GOLDEN / f"stamped-{RENDERER}.yaml").read_bytes()


def test_a_bundle_that_renderer_1_wrote_is_stamped_with_all_of_its_objects() -> None:
    old = (GOLDEN / "bundle-1.yaml").read_bytes()
    assert not old.startswith(b"---")
    lines = stamped(old).split(b"---\n")[1:]
    assert len(lines) == 1 + len(old.split(b"---\n"))
    assert all(b'"downwind.dev/sequence":"42"' in line for line in lines)


if __name__ == "__main__":
    (GOLDEN / f"bundle-{RENDERER}.yaml").write_bytes(rendered())
    (GOLDEN / f"stamped-{RENDERER}.yaml").write_bytes(stamped(rendered()))
