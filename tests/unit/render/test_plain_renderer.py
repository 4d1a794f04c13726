"""The plain engine: which files are manifests, and in which order."""

import pytest

from downwind.adapters.plain_renderer import PlainRenderer
from downwind.errors import Refused
from downwind.ports import Renderer


def test_manifests_directly_in_the_directory_are_read_by_path_and_nothing_else() -> None:
    files = {
        "c.yml": b"a: 3\n---\na: 4\n",
        "b.json": b'{"a": 2}',
        "a.yaml": b"a: 1\n",
        "nested/d.yaml": b"a: [",
        "README.md": b"no: [",
        "values.yaml.bak": b"no: [",
        "empty.yaml": b"# nothing\n",
    }
    renderer: Renderer = PlainRenderer()
    assert renderer.render(files) == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]


def test_an_error_names_the_file_and_the_line() -> None:
    with pytest.raises(Refused, match=r"b\.yaml:2: the key 'a' is there twice"):
        PlainRenderer().render({"a.yaml": b"a: 1", "b.yaml": b"a: 1\na: 2"})


@pytest.mark.parametrize(("name", "engine"), [("kustomization.yaml", "Kustomize"), ("Chart.yaml", "Helm")])
def test_a_directory_for_another_engine_is_refused_with_what_to_do(name: str, engine: str) -> None:
    with pytest.raises(Refused, match=f"this directory is for {engine}") as caught:
        PlainRenderer().render({name: b"a: 1", "a.yaml": b"a: 1"})
    assert caught.value.fix is not None
    assert "commit the rendered manifests" in caught.value.fix


@pytest.mark.parametrize("files", [{}, {"README.md": b"x"}, {"a/b.yaml": b"a: 1"}, {"a.yaml": b"# nothing"}])
def test_a_directory_without_any_object_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(Refused, match=r"no object in the [01] manifest files"):
        PlainRenderer().render(files)


def test_a_directory_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refused, match="the manifests are too large"):
        PlainRenderer().render({f"{number}.yaml": b"[" * 1_000_000 for number in range(9)})
