"""What of Clouddriver's views is kept, and that other clouds' and newer shapes are no error."""

from typing import Any

from downwind.model.live import Balancer, Live, ServerGroup, read_live

GROUP = {
    "name": "replicaSet web-1",
    "cluster": "deployment web",
    "account": "prod",
    "region": "shop",
    "serverGroupManagers": [{"account": "prod", "location": "shop", "name": "deployment web"}],
    "buildInfo": {"images": ["r.example/web@sha256:aa"]},
    "capacity": {"desired": 3.0, "pinned": False},
    "instanceCounts": {"total": 3, "up": 2, "down": 1},
    "isDisabled": True,
    "loadBalancers": ["service web"],
}


def test_a_server_group_is_read_whole() -> None:
    balancers = [
        {"name": "service web", "account": "prod", "region": "shop", "serverGroups": [{"name": "replicaSet web-1"}]}
    ]
    firewalls = {"prod": {"kubernetes": {"shop": [{"id": "x", "name": "networkPolicy x"}], "other": [{"name": "n"}]}}}
    assert read_live("shop", [GROUP], balancers, firewalls) == Live(
        application="shop",
        groups=(
            ServerGroup(
                name="replicaSet web-1",
                cluster="deployment web",
                account="prod",
                namespace="shop",
                manager="deployment web",
                images=("r.example/web@sha256:aa",),
                desired=3,
                total=3,
                up=2,
                disabled=True,
                load_balancers=("service web",),
            ),
        ),
        balancers=(
            Balancer(name="service web", account="prod", namespace="shop", server_groups=("replicaSet web-1",)),
        ),
        firewalls=(("shop", "networkPolicy x"),),
    )


def test_what_is_not_there_or_has_another_shape_is_left_out() -> None:
    odd: list[Any] = [{}, 7, {"name": 7, "capacity": {"desired": True}, "instanceCounts": [], "buildInfo": None}]
    found = read_live("shop", odd, {"no": "list"}, {"prod": [], "x": {"kubernetes": {"shop": {}}}})
    assert found.groups == (ServerGroup(name="", cluster="", account="", namespace=""),) * 2
    assert (found.balancers, found.firewalls) == ((), ())
    assert read_live("shop", None, None, None) == Live(application="shop")
    assert read_live("shop", None, [{"namespace": "n"}], None).balancers[0].namespace == "n"
