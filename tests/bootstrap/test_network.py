"""The network of private nodes, and how functions reach a Gate without public address."""

from collections.abc import Mapping
from typing import Any

import pytest
from tests.bootstrap.conftest import make_plan
from tests.bootstrap.site import MakeSite
from tests.bootstrap.test_config import problems

from downwind.bootstrap.apply import Applying, steps_now
from downwind.bootstrap.gcloud import Writer
from downwind.bootstrap.plan import Plan

REGION = "projects/acme-delivery/regions/europe-west1"
STANDARD = {
    "create": "standard",
    "name": "downwind",
    "location": None,
    "machine": "e2-small",
    "minNodes": 1,
    "maxNodes": 2,
}
YOURS = {
    "create": False,
    "name": "projects/acme-host/global/networks/shared",
    "nodes": "projects/acme-host/regions/europe-west1/subnetworks/nodes",
    "functions": "projects/acme-host/regions/europe-west1/subnetworks/functions",
}


def services(plan: Plan) -> Mapping[str, Mapping[str, Any]]:
    return {each.id: each.body["serviceConfig"] for each in plan.resources if each.kind == "function"}


def test_a_made_cluster_has_a_network_of_its_own_and_a_way_out(standard: Plan) -> None:
    bodies = {each.key: each.body for each in standard.resources}
    assert bodies["network/main"]["autoCreateSubnetworks"] is False
    assert all(bodies[f"subnet/{each}"]["privateIpGoogleAccess"] for each in ("nodes", "functions"))
    assert bodies["nat/nat"]["sourceSubnetworkIpRangesToNat"] == "ALL_SUBNETWORKS_ALL_IP_RANGES"
    cluster = bodies["cluster/autopilot"]
    assert (cluster["network"], cluster["subnetwork"]) == ("downwind", "downwind-nodes")
    order = [each.key for each in standard.resources]
    assert order.index("nat/nat") < order.index("cluster/autopilot"), "nodes pull images as soon as they are there"
    assert order.index("subnet/functions") < order.index("function/on-push")


def test_what_calls_gate_sends_by_the_network_and_receive_does_not(standard: Plan) -> None:
    for name, service in services(standard).items():
        cards = service.get("directVpcNetworkInterface")
        expected = None if name == "receive" else [{"network": "downwind", "subnetwork": "downwind-functions"}]
        assert cards == expected, name
        assert service.get("directVpcEgress") == (None if name == "receive" else "VPC_EGRESS_PRIVATE_RANGES_ONLY")


def test_gate_gets_the_reserved_address_and_lets_in_the_functions_alone(standard: Plan) -> None:
    bodies = {each.key: each.body for each in standard.resources}
    balancer = bodies["release/spinnaker"]["values"]["gate"]["internalLoadBalancer"]
    assert balancer["sourceRanges"] == [bodies["subnet/functions"]["ipCidrRange"]]
    name = next(each.name for each in standard.resources if each.key == "address/gate")
    assert balancer["annotations"] == {"networking.gke.io/load-balancer-ip-addresses": name}
    assert standard.values.config["spinnaker"]["gate"] == f"http://{bodies['address/gate']['address']}:8084"
    order = [each.key for each in standard.resources]
    assert order.index("address/gate") < order.index("release/spinnaker")


def test_without_a_cluster_there_is_no_network_and_functions_send_to_the_internet() -> None:
    plan = make_plan("smallest")
    assert not {each.kind for each in plan.resources} & {"network", "subnet", "router", "nat", "address"}
    assert not any("directVpcNetworkInterface" in each or "vpcConnector" in each for each in services(plan).values())


def test_a_network_of_yours_is_used_and_not_made() -> None:
    network = {**make_plan("standard").values.config["network"], **YOURS}
    plan = make_plan("standard", network=network, cluster=STANDARD)
    assert not {each.kind for each in plan.resources} & {"network", "subnet", "router", "nat", "address"}
    cluster = next(each for each in plan.resources if each.kind == "cluster")
    assert (cluster.body["network"], cluster.body["subnetwork"]) == (YOURS["name"], YOURS["nodes"])
    assert services(plan)["on-tick"]["directVpcNetworkInterface"] == [
        {"network": YOURS["name"], "subnetwork": YOURS["functions"]}
    ]


def test_functions_may_send_by_a_subnet_of_yours_without_a_cluster(make_site: MakeSite) -> None:
    network = {**make_plan("smallest").values.config["network"], "name": "vpc", "functions": "yours-apps"}
    site = make_site("smallest", network=network)
    assert "apis/network-apis" in {each.key for each in site.plan.resources}
    assert site.apply().failed == {}
    assert site.due() == []


def test_names_that_come_back_whole_are_the_same_network(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    for (api, name), each in site.google.state.resources.items():
        if api == "cloudfunctions" and "directVpcNetworkInterface" in each["serviceConfig"]:
            card = each["serviceConfig"]["directVpcNetworkInterface"][0]
            card.update(
                network="projects/acme-delivery/global/networks/downwind",
                subnetwork=f"{REGION}/subnetworks/downwind-functions",
            )
        elif api == "container" and "/clusters/" in name:
            each["network"] = "projects/acme-delivery/global/networks/downwind"
    assert site.due() == []


def test_access_switched_off_and_a_lost_nat_are_put_right_and_others_nats_stay(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    resources = site.google.state.resources
    resources["compute", f"{REGION}/subnetworks/downwind-nodes"]["privateIpGoogleAccess"] = False
    router = resources["compute", f"{REGION}/routers/downwind-out"]
    router["nats"] = [{"name": "theirs"}]
    assert site.due() == ["change subnet/nodes", "create nat/nat"]
    assert site.apply().failed == {}
    assert [each["name"] for each in router["nats"]] == ["theirs", "downwind-nat"]
    router["nats"][1]["natIpAllocateOption"] = "MANUAL_ONLY"
    assert site.due() == ["change nat/nat"]
    assert site.apply().failed == {}
    assert [each["name"] for each in router["nats"]] == ["theirs", "downwind-nat"]
    assert site.due() == []


def test_an_entry_that_somebody_adds_between_the_plan_and_the_write_stays(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    router = site.google.state.resources["compute", f"{REGION}/routers/downwind-out"]
    router["nats"][0]["natIpAllocateOption"] = "MANUAL_ONLY"
    cloud = site.cloud()
    steps = steps_now(site.plan, cloud)
    router["nats"].append({"name": "theirs"})
    outcome = Applying(site.plan, Writer(cloud, None), site.told.append, sleep=lambda _: None).run(steps)
    assert (outcome.done, outcome.failed) == (["nat/nat"], {})
    assert {each["name"]: each.get("natIpAllocateOption") for each in router["nats"]} == {
        "theirs": None,
        "downwind-nat": "AUTO_ONLY",
    }


def test_a_cluster_on_another_network_is_not_made_anew_without_a_word(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    cluster = site.google.state.resources[
        "container", "projects/acme-delivery/locations/europe-west1/clusters/downwind"
    ]
    cluster.update(network="default", subnetwork="default")
    assert site.due() == ["replace cluster/autopilot"]
    assert "apply --replace cluster/autopilot" in site.apply().failed["cluster/autopilot"]


def test_destroy_waits_until_the_cluster_is_gone_before_it_takes_its_network_away(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    site.google.state.polls = 3
    assert site.destroy(with_data=True) == {}
    assert not [each for each in site.google.state.dump() if each.startswith(("compute", "container"))]


def test_what_google_still_holds_is_left_and_named_and_goes_another_time(make_site: MakeSite) -> None:
    """Cloud Run gives the addresses of functions back an hour or two after they are gone."""
    site = make_site("standard", applied=True)
    holder = {"network": f"http://compute.fake.test/compute/v1/{REGION}/subnetworks/downwind-functions"}
    site.google.state.resources["serverless", "reservation"] = {"subnetwork": holder["network"]}
    left = site.destroy(with_data=True)
    assert list(left) == ["subnet/functions", "network/main"]
    assert "already being used" in left["subnet/functions"]
    del site.google.state.resources["serverless", "reservation"]
    assert site.destroy(with_data=True) == {}
    assert not [each for each in site.google.state.dump() if each.startswith("compute")]


AUTOPILOT = {"cluster": {"create": "autopilot"}}


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({**AUTOPILOT, "network": {"create": False}}, "network.nodes: is missing"),
        ({"cluster": {"create": "autopilot", "location": "us-east1"}}, "cluster.location: is in another region"),
        ({"network": {"functionsRange": "10.60.0.0/24"}}, "network.functionsRange: overlaps nodesRange"),
        ({"network": {"functionsRange": "10.60.16.0/28"}}, "network.functionsRange: is too small"),
        ({"network": {"nodesRange": "10.60.0.1/20"}}, "network.nodesRange: is no range"),
        ({"network": {"gateAddress": "10.60.16.5"}}, "network.gateAddress: is not in nodesRange"),
        (
            {"network": {"functions": "s"}, "functions": {"connector": "projects/p/locations/r/connectors/c"}},
            "functions.connector: and network.functions exclude each other",
        ),
    ],
)
def test_a_problem_of_the_network_names_field_and_fix(change: dict[str, object], expected: str) -> None:
    assert any(each.startswith(expected) for each in problems(**change)), problems(**change)
