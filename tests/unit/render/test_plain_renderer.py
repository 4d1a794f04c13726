"""The plain engine: which files are manifests, and in which order."""

from typing import Any

import pytest

from downwind.adapters.memory_tree import MemoryTree
from downwind.adapters.plain_renderer import PlainRenderer
from downwind.errors import Refused
from downwind.model.engines import EngineOptions, HelmOptions, KustomizeOptions, PlainOptions
from downwind.ports import Renderer
from downwind.render.engine import EngineUsed, read_objects

RECURSIVE = EngineOptions(plain=PlainOptions(recursive=True))


def objects(files: dict[str, bytes], options: EngineOptions | None = None, path: str = "") -> list[dict[str, Any]]:
    renderer: Renderer = PlainRenderer()
    rendered = renderer.render(MemoryTree(files), path, options or EngineOptions())
    assert rendered.engine == EngineUsed(name="plain")
    return read_objects(rendered)


FILES = {
    "c.yml": b"a: 3\n---\na: 4\n",
    "b.json": b'{"a": 2}',
    "a.yaml": b"a: 1\n",
    "nested/d.yaml": b"a: 5",
    "README.md": b"no: [",
    "values.yaml.bak": b"no: [",
    "empty.yaml": b"# nothing\n",
}


def test_manifests_directly_in_the_directory_are_read_by_path_and_nothing_else() -> None:
    assert objects(FILES) == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}]


def test_the_directories_below_are_read_where_that_is_asked_for() -> None:
    assert objects(FILES, RECURSIVE) == [{"a": 1}, {"a": 2}, {"a": 3}, {"a": 4}, {"a": 5}]


def test_only_the_directory_that_was_named_is_read() -> None:
    below = {f"deploy/staging/{name}": data for name, data in FILES.items()}
    assert objects({**below, "deploy/x.yaml": b"a: [", "x.yaml": b"a: ["}, RECURSIVE, "deploy/staging")[-1] == {"a": 5}


def test_the_ignore_file_leaves_out_what_it_names_as_git_would() -> None:
    ignore = b"# not these\n*.json\n/nested/\nc.*\n!c.yml\n"
    assert objects({**FILES, ".downwindignore": ignore}, RECURSIVE) == [{"a": 1}, {"a": 3}, {"a": 4}]


@pytest.mark.parametrize(
    ("options", "field"),
    [(EngineOptions(helm=HelmOptions()), "helm"), (EngineOptions(kustomize=KustomizeOptions()), "kustomize")],
)
def test_options_of_another_engine_are_refused_and_not_left_without_effect(options: EngineOptions, field: str) -> None:
    with pytest.raises(Refused, match=f"`{field}`, but this directory is for plain") as caught:
        objects(FILES, options)
    assert caught.value.field == f"manifests.{field}"


def test_an_error_names_the_file_and_the_line() -> None:
    with pytest.raises(Refused, match=r"b\.yaml:2: the key 'a' is there twice"):
        objects({"a.yaml": b"a: 1", "b.yaml": b"a: 1\na: 2"})


@pytest.mark.parametrize(("name", "engine"), [("kustomization.yaml", "Kustomize"), ("Chart.yaml", "Helm")])
def test_a_directory_for_another_engine_is_refused_with_what_to_do(name: str, engine: str) -> None:
    with pytest.raises(Refused, match=f"this directory is for {engine}") as caught:
        objects({name: b"a: 1", "a.yaml": b"a: 1"})
    assert caught.value.fix is not None
    assert "commit the rendered manifests" in caught.value.fix


@pytest.mark.parametrize("files", [{}, {"README.md": b"x"}, {"a/b.yaml": b"a: 1"}, {"a.yaml": b"# nothing"}])
def test_a_directory_without_any_object_is_refused(files: dict[str, bytes]) -> None:
    with pytest.raises(Refused, match=r"no object in the [01] manifest files"):
        objects(files)


def test_a_directory_over_the_limit_is_refused_before_it_is_read() -> None:
    with pytest.raises(Refused, match="the manifests are too large"):
        objects({f"{number}.yaml": b"[" * 1_000_000 for number in range(9)})
