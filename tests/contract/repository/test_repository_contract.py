"""What ports.Repository promises, by the twin and by the adapter against the local git server."""

import hashlib
from typing import Any

import pytest

from downwind.errors import Refused
from downwind.ports import Tip
from downwind.render.tree import files_below

MAIN = "refs/heads/main"


def test_an_empty_repository_has_no_tips(host: Any) -> None:
    assert host.repository.tips(host.address) == {}


def test_a_repository_that_is_not_there_is_refused(host: Any) -> None:
    with pytest.raises(Refused):
        host.repository.tips(host.nowhere)


def test_tips_are_heads_and_tags_by_full_name(host: Any) -> None:
    first = host.commit(MAIN, {"a": b"1"})
    second = host.commit("refs/heads/team/feature", {"a": b"2"})
    host.move("refs/tags/light", first)
    host.move("refs/changes/1/meta", first)
    assert host.repository.tips(host.address) == {
        MAIN: Tip(object=first, commit=first),
        "refs/heads/team/feature": Tip(object=second, commit=second),
        "refs/tags/light": Tip(object=first, commit=first),
    }


def test_an_annotated_tag_holds_its_own_object_and_the_commit_behind_it(host: Any) -> None:
    commit = host.commit(MAIN, {"a": b"1"})
    tag = host.tag("refs/tags/v1.0.0", commit)
    assert tag != commit
    assert host.repository.tips(host.address)["refs/tags/v1.0.0"] == Tip(object=tag, commit=commit)


def test_a_forced_push_and_a_deletion_show_at_once(host: Any) -> None:
    first = host.commit(MAIN, {"a": b"1"})
    host.commit(MAIN, {"a": b"2"})
    host.commit("refs/heads/old", {"a": b"3"})
    host.move(MAIN, first)
    host.delete("refs/heads/old")
    assert host.repository.tips(host.address) == {MAIN: Tip(object=first, commit=first)}


def test_files_are_those_of_exactly_that_commit_also_when_it_is_no_tip(host: Any) -> None:
    old = host.commit(MAIN, {"deploy/a.yaml": b"one", "other": b"x"})
    host.commit(MAIN, {"deploy/a.yaml": b"two"})
    assert files_below(host.repository.tree(host.address, old), "deploy") == {"a.yaml": b"one"}


def test_files_are_keyed_by_their_path_below_the_one_asked_for(host: Any) -> None:
    commit = host.commit(MAIN, {"deploy/x/a.yaml": b"a", "deploy/x/y/b.yaml": b"\x00b", "deploy/z": b""})
    assert files_below(host.repository.tree(host.address, commit), "deploy/x/") == {
        "a.yaml": b"a",
        "y/b.yaml": b"\x00b",
    }


@pytest.mark.parametrize("root", ["", ".", "/"])
def test_the_root_can_be_read(host: Any, root: str) -> None:
    commit = host.commit(MAIN, {"a": b"1", "b/c": b"2"})
    assert files_below(host.repository.tree(host.address, commit), root) == {"a": b"1", "b/c": b"2"}


def test_a_path_that_is_not_there_is_refused_by_name(host: Any) -> None:
    commit = host.commit(MAIN, {"a": b"1"})
    with pytest.raises(Refused, match="deploy/staging"):
        files_below(host.repository.tree(host.address, commit), "deploy/staging")


def test_a_path_that_leaves_the_repository_is_refused(host: Any) -> None:
    commit = host.commit(MAIN, {"a": b"1"})
    with pytest.raises(Refused, match="leaves"):
        files_below(host.repository.tree(host.address, commit), "../a")


def test_a_submodule_under_the_path_is_refused_by_name(host: Any) -> None:
    commit = host.commit(MAIN, {"deploy/a": b"1", "other/b": b"2"}, {"deploy/odd": "submodule"})
    with pytest.raises(Refused, match="deploy/odd is a submodule"):
        files_below(host.repository.tree(host.address, commit), "deploy")
    assert files_below(host.repository.tree(host.address, commit), "other") == {"b": b"2"}


def test_symlinks_inside_the_repository_are_what_they_point_to(host: Any) -> None:
    links = {"deploy/one": "symlink ../base/a", "deploy/all": "symlink ../base", "deploy/two": "symlink one"}
    commit = host.commit(MAIN, {"base/a": b"1", "deploy/b": b"2"}, links)
    found = files_below(host.repository.tree(host.address, commit), "deploy")
    assert found == {"all/a": b"1", "b": b"2", "one": b"1", "two": b"1"}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        ("../../etc/passwd", "leaves the repository"),
        ("/etc/passwd", "leaves the repository"),
        ("odd", "leads in a circle"),
        ("nothing", "points to nothing"),
    ],
)
def test_a_symlink_that_leads_elsewhere_is_refused(host: Any, target: str, said: str) -> None:
    commit = host.commit(MAIN, {"deploy/a": b"1"}, {"deploy/odd": f"symlink {target}"})
    with pytest.raises(Refused, match=said):
        files_below(host.repository.tree(host.address, commit), "deploy")


def test_a_git_lfs_pointer_is_refused_as_such(host: Any) -> None:
    pointer = b"version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 1\n"
    commit = host.commit(MAIN, {"deploy/big": pointer})
    with pytest.raises(Refused, match="deploy/big is a Git LFS pointer"):
        files_below(host.repository.tree(host.address, commit), "deploy")


def test_more_than_5000_files_are_refused(host: Any) -> None:
    commit = host.commit(MAIN, {f"deploy/{number}": b"" for number in range(5_001)} | {"few/a": b""})
    with pytest.raises(Refused, match="5000 files"):
        files_below(host.repository.tree(host.address, commit), "deploy")
    assert files_below(host.repository.tree(host.address, commit), "few") == {"a": b""}


def test_more_than_32_mib_are_refused(host: Any) -> None:
    commit = host.commit(MAIN, {"deploy/a": bytes(17 << 20), "deploy/b": bytes(17 << 20)})
    with pytest.raises(Refused, match="32 MiB"):
        files_below(host.repository.tree(host.address, commit), "deploy")


@pytest.mark.parametrize("commit", ["0" * 39 + "1", "main", "--upload-pack=x", "A" * 40])
def test_what_is_no_commit_of_the_repository_is_refused(host: Any, commit: str) -> None:
    host.commit(MAIN, {"a": b"1"})
    with pytest.raises(Refused, match="commit"):
        files_below(host.repository.tree(host.address, commit), "")


def test_blobs_give_every_entry_its_git_object_id(host: Any) -> None:
    commit = host.commit(MAIN, {"a": b"1", "b/c": b"2"})
    ids = {path: hashlib.sha1(b"blob 1\0" + data).hexdigest() for path, data in {"a": b"1", "b/c": b"2"}.items()}
    assert host.repository.blobs(host.address, commit) == ids


def test_blobs_name_symlinks_and_submodules_too(host: Any) -> None:
    commit = host.commit(MAIN, {"a": b"1"}, {"link": "symlink a", "module": "submodule"})
    assert set(host.repository.blobs(host.address, commit)) == {"a", "link", "module"}
