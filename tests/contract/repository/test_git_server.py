"""The local git host: a real git pushes, and each push is one Cloud Source Repositories notice."""

import os
import subprocess
import threading
from pathlib import Path
from typing import Any

import requests

from downwind.local.git_server import GitServer
from downwind.local.outbox import Outbox
from downwind.render.tree import files_below

MAIN = "refs/heads/main"


def test_one_push_of_several_refs_is_one_message_in_the_exact_shape(git_host: Any, inbox: Any) -> None:
    old = git_host.commit(MAIN, {"a": b"1"})
    git_host.move("refs/heads/gone", old)
    new = git_host.local_commit({"a": b"2"})
    git_host.git("push", "--quiet", git_host.address, f"HEAD:{MAIN}", "HEAD:refs/tags/v1", ":refs/heads/gone")
    (message, attributes) = inbox.wait("repo-pushes", 3)[2]
    assert attributes == {}
    assert message.pop("eventTime").endswith("Z")
    assert message == {
        "name": "projects/demo/repos/shop",
        "url": git_host.address,
        "refUpdateEvent": {
            "email": "developer@localhost",
            "refUpdates": {
                MAIN: {"refName": MAIN, "updateType": "UPDATE_FAST_FORWARD", "oldId": old, "newId": new},
                "refs/tags/v1": {"refName": "refs/tags/v1", "updateType": "CREATE", "newId": new},
                "refs/heads/gone": {"refName": "refs/heads/gone", "updateType": "DELETE", "oldId": old},
            },
        },
    }


def test_a_forced_push_is_named_as_such(git_host: Any, inbox: Any) -> None:
    first = git_host.commit(MAIN, {"a": b"1"})
    second = git_host.commit(MAIN, {"a": b"2"})
    git_host.move(MAIN, first)
    update = inbox.wait("repo-pushes", 3)[2][0]["refUpdateEvent"]["refUpdates"][MAIN]
    assert update == {"refName": MAIN, "updateType": "UPDATE_NON_FAST_FORWARD", "oldId": second, "newId": first}


def test_an_annotated_tag_is_announced_by_its_own_object(git_host: Any, inbox: Any) -> None:
    tag = git_host.tag("refs/tags/v1", git_host.commit(MAIN, {"a": b"1"}))
    assert inbox.wait("repo-pushes", 2)[1][0]["refUpdateEvent"]["refUpdates"]["refs/tags/v1"]["newId"] == tag


def test_a_push_that_changes_nothing_says_nothing(git_host: Any, inbox: Any) -> None:
    commit = git_host.commit(MAIN, {"a": b"1"})
    git_host.move(MAIN, commit)
    git_host.move("refs/heads/next", commit)
    messages = inbox.wait("repo-pushes", 2)
    assert [list(data["refUpdateEvent"]["refUpdates"]) for data, _ in messages] == [[MAIN], ["refs/heads/next"]]


def test_concurrent_pushes_are_announced_once_each(git_host: Any, inbox: Any) -> None:
    commit = git_host.commit(MAIN, {"a": b"1"})
    names = [f"refs/heads/b{number}" for number in range(6)]
    pushes = [threading.Thread(target=git_host.move, args=(name, commit)) for name in names]
    for push in pushes:
        push.start()
    for push in pushes:
        push.join()
    messages = inbox.wait("repo-pushes", 7)[1:]
    assert sorted(ref for data, _ in messages for ref in data["refUpdateEvent"]["refUpdates"]) == names


def test_a_push_whose_notice_was_cut_off_is_announced_at_the_next_start(
    git_host: Any, server: GitServer, inbox: Any, outbox: Outbox, tmp_path: Path
) -> None:
    commit = git_host.commit(MAIN, {"a": b"1"})
    server.stop()
    # As if the server had been killed after git took the push: the ref moved, and nobody was told.
    subprocess.run(["git", "update-ref", "refs/heads/late", commit], cwd=tmp_path / "git" / "shop.git", check=True)
    again = GitServer(tmp_path / "git", port=server.port, outbox=outbox, pubsub_url=inbox.url, project="demo")
    again.start()
    assert list(inbox.wait("repo-pushes", 2)[1][0]["refUpdateEvent"]["refUpdates"]) == ["refs/heads/late"]
    again.stop()
    server.start()


def test_a_clone_gets_the_branch_that_head_names(git_host: Any, tmp_path: Path) -> None:
    git_host.commit(MAIN, {"a": b"1"})
    git_host.git("clone", "--quiet", git_host.address, str(tmp_path / "copy"))
    assert (tmp_path / "copy" / "a").read_bytes() == b"1"


def test_a_push_larger_than_gits_post_buffer_is_taken(git_host: Any) -> None:
    data = os.urandom(3 << 20)
    commit = git_host.commit(MAIN, {"big": data})
    assert files_below(git_host.repository.tree(git_host.address, commit), "") == {"big": data}


def test_repositories_are_made_by_put_only_and_listed(server: GitServer) -> None:
    assert requests.put(f"{server.url}/-/repositories/team/shop", timeout=5).status_code == 201
    assert requests.put(f"{server.url}/-/repositories/team/shop", timeout=5).status_code == 200
    assert requests.put(f"{server.url}/-/repositories/..%2Fx", timeout=5).status_code in {400, 404, 501}
    assert requests.put(f"{server.url}/-/repositories/a;b", timeout=5).status_code == 400
    assert requests.get(f"{server.url}/-/repositories", timeout=5).json() == {
        "repositories": [{"name": "team/shop", "url": f"{server.url}/team/shop.git"}]
    }
    assert requests.get(f"{server.url}/other.git/info/refs?service=git-upload-pack", timeout=5).status_code == 404


def test_what_it_does_not_know_is_refused_loudly(server: GitServer) -> None:
    server.create("shop")
    answer = requests.get(f"{server.url}/shop.git/HEAD", timeout=5)
    assert answer.status_code == 501
    assert "is not part of the local world" in answer.text
