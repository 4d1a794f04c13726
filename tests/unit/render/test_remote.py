"""Bases of other repositories: which addresses are bases, which are allowed, and that none reaches out of its own tree."""

import json

import pytest

from downwind.adapters.memory_tree import MemoryTree
from downwind.errors import Refused
from downwind.render.kustomize import kustomization
from downwind.render.remote import Base, read_base
from downwind.render.tree import FileTree

COMMIT = "5d6e7f8c0c7e4c2d9a3f0b1d2e3f4a5b6c7d8e9f"
WEB = "https://github.com/acme/bases//web?ref=" + COMMIT


@pytest.mark.parametrize(
    ("value", "place", "path"),
    [
        (f"https://github.com/acme/bases//web/x?ref={COMMIT}", "github.com/acme/bases", "web/x"),
        (f"https://github.com/acme/bases/web?ref={COMMIT}", "github.com/acme/bases", "web"),
        (f"github.com/acme/bases/web?ref={COMMIT}&timeout=90s", "github.com/acme/bases", "web"),
        (f"GitHub.com/acme/bases?ref={COMMIT}", "github.com/acme/bases", ""),
        (f"https://git.example/a/b/c.git/web?submodules=0&ref={COMMIT}", "git.example/a/b/c", "web"),
        (f"https://git.example/a/b/c//?ref={COMMIT}", "git.example/a/b/c", ""),
    ],
)
def test_an_address_is_split_as_kustomize_splits_it(value: str, place: str, path: str) -> None:
    base = read_base(value, "here")
    assert base == Base(place=place, commit=COMMIT, path=path)
    assert base.address == f"https://{place}.git"


@pytest.mark.parametrize(
    "value",
    [
        f"http://github.com/acme/bases//web?ref={COMMIT}",
        f"ssh://git@github.com/acme/bases//web?ref={COMMIT}",
        f"git@github.com:acme/bases?ref={COMMIT}",
        f"user@github.com/acme/bases?ref={COMMIT}",
        f"file:///etc//web?ref={COMMIT}",
        f"https://user:pass@github.com/acme/bases?ref={COMMIT}",
        f"https://github.com/acme/bases//../web?ref={COMMIT}",
        f"https://github.com/acme/bases//web?ref={COMMIT}&upload-pack=x",
        f"https://127.0.0.1:8080/acme/bases?ref={COMMIT}",
        "https://github.com/acme/bases//web",
        "base",
    ],
)
def test_any_other_form_is_no_base_and_stays_refused(value: str) -> None:
    assert read_base(value, "here") is None
    with pytest.raises(Refused):
        walk({"app/kustomization.yaml": f"resources: ['{value}']"}, {}, "github.com", "127.0.0.1", "git.example")


@pytest.mark.parametrize("ref", ["main", "v1.0.0", COMMIT[:12], COMMIT.upper(), "refs/heads/main"[5:]])
def test_a_base_has_to_be_pinned_by_a_whole_commit_id(ref: str) -> None:
    with pytest.raises(Refused, match="is not pinned"):
        walk({"app/kustomization.yaml": f"resources: ['https://github.com/a/b//c?ref={ref}']"}, {}, "github.com")


Trees = dict[tuple[str, str], FileTree]


def walk(files: dict[str, str], trees: Trees, *allowed: str) -> dict[str, bytes]:
    tree = MemoryTree({name: text.encode() for name, text in files.items()})
    return kustomization(tree, "app", allowed, lambda address, commit: trees[address, commit]).files


def bases(files: dict[str, str], special: dict[str, str] | None = None) -> Trees:
    tree = MemoryTree({name: text.encode() for name, text in files.items()}, special)
    return {("https://github.com/acme/bases.git", COMMIT): tree}


APP = {"app/kustomization.yaml": f"resources: [a.yaml, '{WEB}']\nnamespace: x", "app/a.yaml": "kind: A", "secret": "s"}


def test_an_allowed_base_lies_beside_the_tree_and_its_address_becomes_a_path() -> None:
    found = walk(
        APP,
        bases(
            {
                "web/kustomization.yaml": "resources: [../more]",
                "more/kustomization.yaml": "resources: [b.yaml]",
                "more/b.yaml": "kind: B",
                "other": "o",
            }
        ),
        "github.com/acme",
    )
    assert json.loads(found.pop("app/kustomization.yaml")) == {
        "resources": ["a.yaml", "../.downwind-remote/0/web"],
        "namespace": "x",
    }
    assert set(found) == {
        "app/a.yaml",
        ".downwind-remote/0/web/kustomization.yaml",
        ".downwind-remote/0/more/kustomization.yaml",
        ".downwind-remote/0/more/b.yaml",
    }


@pytest.mark.parametrize(
    "allowed", [(), ("gitlab.com",), ("github.com/acm",), ("github.com/acme/bases/web",), ("hub.com",)]
)
def test_what_the_catalog_does_not_name_is_not_fetched(allowed: tuple[str, ...]) -> None:
    with pytest.raises(Refused, match="address outside this repository"):
        walk(APP, {}, *allowed)


def test_a_base_can_name_another_that_is_allowed_too() -> None:
    other = f"https://github.com/acme/other//x?ref={COMMIT}"
    trees = bases({"web/kustomization.yaml": f"components: ['{other}']"})
    trees["https://github.com/acme/other.git", COMMIT] = MemoryTree({"x/kustomization.yaml": b"kind: Component"})
    found = walk(APP, trees, "github.com/acme")
    assert json.loads(found[".downwind-remote/0/web/kustomization.yaml"]) == {"components": ["../../1/x"]}


@pytest.mark.parametrize(
    ("files", "special"),
    [
        ({"web/kustomization.yaml": "resources: [../../../app/a.yaml]"}, {}),
        ({"web/kustomization.yaml": "configMapGenerator: [{files: [../../../secret]}]"}, {}),
        ({"web/kustomization.yaml": "resources: [a.yaml]"}, {"web/a.yaml": "symlink ../../../secret"}),
        ({"web/kustomization.yaml": "resources: [up]"}, {"web/up": "symlink ../../../app"}),
    ],
)
def test_a_base_sees_nothing_of_the_tree_that_uses_it(files: dict[str, str], special: dict[str, str]) -> None:
    with pytest.raises(Refused, match="leaves its repository"):
        walk(APP, bases(files, special), "github.com")


def test_the_number_of_other_repositories_is_bounded() -> None:
    many = [f"https://github.com/acme/r{number}//x?ref={COMMIT}" for number in range(21)]
    trees: Trees = {
        (f"https://github.com/acme/r{number}.git", COMMIT): MemoryTree({"x/kustomization.yaml": b"{}"})
        for number in range(21)
    }
    with pytest.raises(Refused, match="more than 20 other repositories"):
        walk({"app/kustomization.yaml": json.dumps({"resources": many})}, trees, "github.com")
