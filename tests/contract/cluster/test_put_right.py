"""What somebody else has added to a policy of ours is taken out again, whoever owns that field: server-side apply leaves it."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contract.cluster.kubectl import APPLY, POLICIES, ApiServer, Kubectl
from tests.contract.cluster.test_bootstrap import lab_plan, start_lab

from downwind.bootstrap.apply import steps_now

GUARD = "sequence.downwind.dev"
KEY = f"object/ValidatingAdmissionPolicy/{GUARD}"


@pytest.mark.cluster
def test_one_more_exception_in_the_policy_is_taken_out(
    real_server: ApiServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kubectl = Kubectl(real_server)
    site = start_lab(real_server, tmp_path, lab_plan(admission={"policy": True, "breakGlass": []}))
    for key, value in site.environment.items():
        monkeypatch.setenv(key, value)
    try:
        resource = replace(next(each for each in site.plan.resources if each.key == KEY), after=frozenset())
        site.plan.resources = [resource]
        kind = site.plan.kinds["object"]
        cloud = site.cloud()
        kubectl.call("DELETE", f"{POLICIES}/{GUARD}")
        cloud.send(kind.create(resource, None).request)
        good: Any = kubectl.get(f"{POLICIES}/{GUARD}")
        more = {
            "apiVersion": good["apiVersion"],
            "kind": good["kind"],
            "metadata": {"name": GUARD, "labels": good["metadata"]["labels"], "annotations": {"team": "sre"}},
            "spec": {
                **good["spec"],
                "matchConditions": [
                    *good["spec"]["matchConditions"],
                    {"name": "not-me", "expression": "request.userInfo.username != 'me'"},
                ],
            },
        }
        kubectl.must("PATCH", f"{POLICIES}/{GUARD}", more, APPLY, fieldManager="somebody", force="true")
        assert [each.action for each in steps_now(site.plan, cloud)] == ["change"]
        assert site.apply().failed == {}
        after: Any = kubectl.get(f"{POLICIES}/{GUARD}")
        assert after["spec"] == good["spec"]
        assert after["metadata"]["annotations"] == {"team": "sre"}
        assert [each.action for each in steps_now(site.plan, cloud)] == ["keep"]
    finally:
        site.stop()
        kubectl.install()
