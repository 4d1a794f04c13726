"""What counts as a difference, and how people read it."""

from typing import Any

import pytest

from downwind.render.compare import LAST_APPLIED, changes, plain, without_removed


def thing(kind: str = "ConfigMap", name: str = "a", api: str = "v1", **more: Any) -> dict[str, Any]:
    return {
        "apiVersion": api,
        "kind": kind,
        "metadata": {"name": name, "namespace": "shop", **more.pop("metadata", {})},
        **more,
    }


def lines(before: list[Any], after: list[Any]) -> list[str]:
    return [line for each in changes(before, after) for line in each.lines("old", "new")]


def test_equal_objects_in_any_order_are_no_change() -> None:
    assert changes([thing(name="a"), thing(name="b")], [thing(name="b"), thing(name="a")]) == []


def test_one_object_added_one_removed_one_changed_in_order_of_kind_and_name() -> None:
    before = [thing(name="b", data={"x": "1"}), thing(name="gone")]
    after = [thing("Deployment", "web", "apps/v1"), thing(name="b", data={"x": "2"})]
    found = changes(before, after)
    assert [(each.what, each.title) for each in found] == [
        ("changed", "ConfigMap shop/b"),
        ("removed", "ConfigMap shop/gone"),
        ("added", "Deployment.apps shop/web"),
    ]
    assert list(found[0].lines("staging 1", "staging 2")) == [
        "--- staging 1 ConfigMap shop/b",
        "+++ staging 2 ConfigMap shop/b",
        "@@ -1,6 +1,6 @@",
        " apiVersion: v1",
        " data:",
        '-  x: "1"',
        '+  x: "2"',
        " kind: ConfigMap",
        " metadata:",
        "   name: b",
    ]


def test_what_every_release_or_the_server_writes_is_no_change() -> None:
    live = thing(
        metadata={
            "uid": "1",
            "resourceVersion": "2",
            "generation": 3,
            "managedFields": [],
            "creationTimestamp": "2026-11-24T00:00:00Z",
            "annotations": {LAST_APPLIED: "{}", "downwind.dev/commit": "c" * 40, "downwind.dev/sequence": "7"},
        },
        status={"ready": True},
    )
    assert changes([live], [thing(metadata={"annotations": {"downwind.dev/commit": "d" * 40}})]) == []
    assert plain(live) == thing()


def test_what_clouddriver_writes_on_objects_and_templates_is_no_change() -> None:
    marks = {"artifact.spinnaker.io/name": "web", "moniker.spinnaker.io/cluster": "deployment web"}
    labels = {"app.kubernetes.io/managed-by": "spinnaker", "app.kubernetes.io/name": "shop"}
    template = {
        "metadata": {"annotations": marks, "labels": {"app": "web", **labels}},
        "spec": {"containers": [{"name": "web"}]},
    }
    live = thing(
        "Deployment", "web", "apps/v1", metadata={"annotations": marks, "labels": labels}, spec={"template": template}
    )
    bare = {"metadata": {"labels": {"app": "web"}}, "spec": template["spec"]}
    assert changes([live], [thing("Deployment", "web", "apps/v1", spec={"template": bare})]) == []
    bare_too = {"spec": template["spec"]}
    only = thing(metadata={"annotations": marks}, spec={"template": {"metadata": {"annotations": marks}, **bare_too}})
    assert changes([only], [thing(spec={"template": bare_too})]) == []


def test_labels_of_the_users_own_count() -> None:
    own = {"labels": {"app.kubernetes.io/managed-by": "helm", "app.kubernetes.io/name": "shop"}}
    assert len(changes([thing(metadata=own)], [thing()])) == 1


def test_another_owner_is_a_change() -> None:
    marks = [{"annotations": {"downwind.dev/owner": f"shop/{each}"}} for each in ("staging", "production")]
    assert len(changes([thing(metadata=marks[0])], [thing(metadata=marks[1])])) == 1


@pytest.mark.parametrize(("text", "shown"), [("1e3", '"1e3"'), ("on", '"on"'), ("a b", "a b")])
def test_a_text_that_a_reader_would_take_for_something_else_stands_in_quotes(text: str, shown: str) -> None:
    assert f"+  x: {shown}" in lines([], [thing(data={"x": text})])


def test_a_text_of_several_lines_is_compared_line_by_line() -> None:
    found = lines([thing(data={"x": "one\ntwo\n"})], [thing(data={"x": "one\nthree\n"})])
    assert ("-    two" in found, "+    three" in found, "     one" in found) == (True, True, True)


def secret(**data: str) -> dict[str, Any]:
    return thing("Secret", "s", data=data, stringData={"t": "hunter2"})


def test_values_of_secrets_are_masked_and_it_is_seen_only_which_of_them_changed() -> None:
    text = "\n".join(
        lines([secret(a="c2FtZQ==", b="b2xk", c="Z29uZQ==")], [secret(a="c2FtZQ==", b="bmV3", d="bW9yZQ==")])
    )
    assert not any(value in text for value in ("c2FtZQ", "b2xk", "bmV3", "Z29uZQ", "bW9yZQ", "hunter2"))
    assert "-  b: '*** (before)'" in text
    assert "+  b: '*** (after)'" in text
    assert "   a: '***'" in text
    assert "-  c: '***'" in text
    assert "+  d: '***'" in text


@pytest.mark.parametrize("strange", ["hunter2", ["hunter2"], None])
def test_a_secret_of_another_shape_is_masked_too(strange: Any) -> None:
    text = "\n".join(
        lines([], [thing("Secret", "s", data=strange)]) + lines([thing("Secret", "s", data={"a": "hunter2"})], [])
    )
    assert "hunter2" not in text


def test_what_the_last_apply_wrote_and_the_manifest_lacks_goes_and_what_others_wrote_stays() -> None:
    applied = {"spec": {"a": 1, "b": 2, "containers": [{"name": "web", "env": 1}, {"name": "side"}], "args": ["x"]}}
    manifest = {"spec": {"a": 1, "containers": [{"name": "web"}], "args": ["y"]}}
    after = {
        "spec": {
            "a": 1,
            "b": 2,
            "theirs": 3,
            "containers": [{"name": "web", "env": 1, "theirs": 2}, {"name": "side"}, {"name": "injected"}],
            "args": ["y"],
        }
    }
    assert without_removed(after, manifest, applied) == {
        "spec": {
            "a": 1,
            "theirs": 3,
            "containers": [{"name": "web", "theirs": 2}, {"name": "injected"}],
            "args": ["y"],
        }
    }


def test_without_a_last_apply_everything_stays() -> None:
    assert without_removed({"a": 1}, {}, None) == {"a": 1}
