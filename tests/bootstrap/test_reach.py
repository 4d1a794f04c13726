"""How the engine reaches what is no API of Google's: kubeconfig, Helm, a way to Gate, the catalog."""

import contextlib
import json
import os
import socket
import stat
import threading
import time
from base64 import b64decode, b64encode
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.bootstrap.conftest import make_plan
from tests.bootstrap.fake.apis import secret_text
from tests.bootstrap.site import MakeSite, Site

from downwind.adapters.gcs import gcs_client
from downwind.bootstrap.cloud import Cloud, Conflict
from downwind.bootstrap.gate import CatalogCalls
from downwind.bootstrap.gcloud import make_session
from downwind.bootstrap.kubernetes import ApiServer, locate
from downwind.bootstrap.programs import HelmProgram, forwarded, kubeconfig
from downwind.bootstrap.reach import GateReach, join, make_catalog_world
from downwind.bootstrap.shell import script
from downwind.bootstrap.write import NEWEST
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.local.storage import StorageServer
from downwind.perform import applications
from downwind.reconcile import names
from downwind.settings import read_settings

FUNCTION = "projects/acme-delivery/locations/europe-west1/functions/downwind-on-tick"


def program(folder: Path, name: str, body: str) -> dict[str, str]:
    """A program of that name, first on the path of the environment that is given back."""
    file = folder / name
    file.write_text(f"#!/usr/bin/env bash\n{body}\n")
    file.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def google_cluster(site: Site) -> Cloud:
    """Without the override of the tests: as GKE itself says where the cluster is."""
    environment = {key: value for key, value in site.environment.items() if "KUBERNETES" not in key}
    return Cloud(make_session(environment), environment, sleep=lambda _: None)


def test_gke_is_reached_by_its_dns_endpoint_with_googles_token(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    cloud = google_cluster(site)
    server = locate(site.plan.values, cloud, {})
    assert server is not None
    assert server.host == "https://gke-abc.europe-west1.gke.goog"
    with kubeconfig(site.plan.values, cloud, {"KUBECONFIG": "mine"}) as environment:
        file = Path(environment["KUBECONFIG"])
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        body = json.loads(file.read_text())
        assert body["current-context"] == "gke_acme-delivery_europe-west1_downwind"
        assert body["clusters"][0]["cluster"] == {"server": server.host}
        assert body["users"][0]["user"] == {"token": "fake-token"}
    assert not file.exists()


def test_a_cluster_whose_certificate_does_not_hold_is_told_as_that() -> None:
    """The official client has an error of its own for it, which is none of ours; a door that speaks no TLS comes to the same."""
    from kubernetes import client

    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer() -> None:
            caller, _ = listening.accept()
            with caller:
                caller.recv(4096)
                caller.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")

        thread = threading.Thread(target=answer)
        thread.start()
        configuration = client.Configuration()
        configuration.host, configuration.retries = f"https://127.0.0.1:{listening.getsockname()[1]}", False
        try:
            with pytest.raises(Misconfigured, match="TLS: SSLError"):
                ApiServer(client.ApiClient(configuration)).call("GET", "version", {})
        finally:
            thread.join()


def test_a_cluster_without_a_dns_endpoint_is_refused_with_the_line(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    name = "projects/acme-delivery/locations/europe-west1/clusters/downwind"
    del site.google.state.resources["container", name]["controlPlaneEndpointsConfig"]["dnsEndpointConfig"]["endpoint"]
    with pytest.raises(Refused) as caught:
        locate(site.plan.values, google_cluster(site), {})
    assert "--enable-dns-access" in str(caught.value.fix)


def test_a_cluster_that_should_be_there_and_is_not_is_told(make_site: MakeSite) -> None:
    site = make_site("smallest")
    cluster = {**site.plan.values.config["cluster"], "location": "europe-west1", "name": "prod"}
    with pytest.raises(Refused, match="no cluster prod in europe-west1"):
        locate(make_plan("smallest", cluster=cluster).values, google_cluster(site), {})


def test_every_call_of_the_cluster_carries_the_token_of_the_moment(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    seen: list[str | None] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(404)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        environment = {**site.environment}
        environment["CLOUDSDK_API_ENDPOINT_OVERRIDES_KUBERNETES"] = f"http://127.0.0.1:{server.server_port}"
        cloud = Cloud(make_session(environment), environment)
        api = locate(site.plan.values, cloud, {})
        assert api is not None
        for token in ("fake-token", "another"):
            cloud.session.credentials.token = token
            assert api.call("GET", "api/v1/namespaces/shop", {})[0] == 404
        server.shutdown()
        thread.join()
    assert seen == ["Bearer fake-token", "Bearer another"]


def test_a_context_that_is_not_there_is_refused(tmp_path: Path, make_site: MakeSite) -> None:
    cloud = make_site("smallest").cloud()
    (tmp_path / "kubeconfig").write_text(json.dumps({"contexts": [], "current-context": ""}))
    with pytest.raises(Refused, match="kubeconfig"):
        locate(make_plan("existing").values, cloud, {"KUBECONFIG": str(tmp_path / "kubeconfig")})


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ("Error: UPGRADE FAILED: another operation (install/upgrade/rollback) is in progress", Conflict),
        ("Error: kubernetes cluster unreachable: dial tcp", TransientError),
        ("Error: execution error at (x): images.gate.digest is empty", Refused),
    ],
)
def test_what_helm_says_is_told_and_judged(
    make_site: MakeSite, tmp_path: Path, said: str, expected: type[Exception]
) -> None:
    site = make_site("existing")
    environment = site.environment | program(tmp_path, "helm", f"echo '{said}' >&2; exit 1")
    helm = HelmProgram(site.plan.values, site.cloud(), environment)
    with pytest.raises(expected, match=said.split(":")[-1].strip().split("(")[0]):
        helm.run(("helm", "upgrade", "spinnaker"))


def test_without_helm_it_says_how_to_get_it(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site("existing")
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(Misconfigured, match="scripts/helm"):
        HelmProgram(site.plan.values, site.cloud(), {"PATH": str(tmp_path)}).run(("helm", "version"))


def test_helm_gets_whole_paths_for_what_lines_name_shortly(make_site: MakeSite, tmp_path: Path) -> None:
    site = make_site("standard", applied=True)
    environment = site.environment | program(tmp_path, "helm", f'printf "%s\\n" "$@" > {tmp_path}/arguments')
    helm = HelmProgram(site.plan.values, site.cloud(), environment)
    helm.run(("helm", "upgrade", "spinnaker", "infra/charts/spinnaker", "--values", "spinnaker/images.yaml"))
    arguments = (tmp_path / "arguments").read_text().split()
    assert [Path(each).is_absolute() and Path(each).exists() for each in arguments] == [False, False, True, False, True]


def test_kubectl_is_the_way_to_gate_for_as_long_as_it_is_needed(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site("standard", applied=True)
    body = f'echo "$@" > {tmp_path}/arguments; echo $$ > {tmp_path}/pid\n'
    body += 'echo "Forwarding from 127.0.0.1:4321 -> 8084"; exec sleep 60'
    environment = site.environment | program(tmp_path, "kubectl", body)
    monkeypatch.setenv("PATH", environment["PATH"])
    with forwarded(site.plan.values, site.cloud(), environment, "spinnaker-gate", 8084) as address:
        assert address == "http://127.0.0.1:4321"
        context = "--context=gke_acme-delivery_europe-west1_downwind --namespace=spinnaker"
        said = (tmp_path / "arguments").read_text().strip()
        assert said == f"{context} port-forward service/spinnaker-gate :8084"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_way_stays_open_however_much_kubectl_says(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It says a line for each connection: more than a pipe holds, and it would wait for a reader for ever."""
    site = make_site("standard", applied=True)
    body = 'echo "Forwarding from 127.0.0.1:4321 -> 8084"\n'
    body += 'for _ in {1..9000}; do echo "Handling connection for 4321"; done\n'
    body += f"touch {tmp_path}/said; exec sleep 60"
    environment = site.environment | program(tmp_path, "kubectl", body)
    monkeypatch.setenv("PATH", environment["PATH"])
    with forwarded(site.plan.values, site.cloud(), environment, "spinnaker-gate", 8084):
        deadline = time.monotonic() + 20
        while not (tmp_path / "said").exists():
            assert time.monotonic() < deadline, "kubectl waits for somebody to read"
            time.sleep(0.02)


def test_a_way_that_does_not_open_is_told(make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = make_site("standard", applied=True)
    environment = site.environment | program(tmp_path, "kubectl", "echo 'error: no pod is running'; exit 1")
    monkeypatch.setenv("PATH", environment["PATH"])
    with (
        pytest.raises(TransientError, match="no pod is running"),
        forwarded(site.plan.values, site.cloud(), environment, "spinnaker-gate", 8084),
    ):
        pass


@pytest.mark.parametrize(
    ("body", "said"),
    [("exec sleep 60", "it said: nothing"), ("echo 'W1130 a warning'; exec sleep 60", "it said: W1130 a warning")],
)
def test_a_kubectl_that_opens_no_way_is_not_waited_for_without_end(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, said: str
) -> None:
    site = make_site("standard", applied=True)
    environment = site.environment | program(tmp_path, "kubectl", body)
    monkeypatch.setenv("PATH", environment["PATH"])
    with (
        pytest.raises(TransientError, match=f"opened no way to spinnaker-gate in 0.5 s; {said}"),
        forwarded(site.plan.values, site.cloud(), environment, "spinnaker-gate", 8084, opens=0.5),
    ):
        pass


def test_a_warning_before_the_way_is_passed_over_and_a_kubectl_that_will_not_end_is_killed(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = make_site("standard", applied=True)
    body = f"echo $$ > {tmp_path}/pid; trap '' TERM; echo 'W1130 a warning'\n"
    body += 'echo "Forwarding from 127.0.0.1:4321 -> 8084"\nwhile true; do sleep 0.05; done'
    environment = site.environment | program(tmp_path, "kubectl", body)
    monkeypatch.setenv("PATH", environment["PATH"])
    with forwarded(site.plan.values, site.cloud(), environment, "spinnaker-gate", 8084, ends=0.3) as address:
        assert address == "http://127.0.0.1:4321"
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_gate_with_another_address_from_here_is_told_how_to_name_it(make_site: MakeSite) -> None:
    site = make_site("smallest")
    spinnaker = {**make_plan("existing").values.config["spinnaker"], "gate": "http://127.0.0.1:9"}
    plan = make_plan("existing", spinnaker=spinnaker)
    cloud = join(Cloud(make_session(site.environment), site.environment), plan.values, site.ways, site.environment)
    resource = next(each for each in plan.resources if each.kind == "pipeline")
    with pytest.raises(TransientError, match="another address from here: --gate URL"):
        plan.kinds["pipeline"].read(cloud, resource)


def headers(site: Site) -> dict[str, str]:
    def way() -> contextlib.AbstractContextManager[str]:
        raise AssertionError

    return GateReach(site.cloud(), site.plan.values, site.ways, way, None)._headers()


def test_our_own_gate_is_opened_by_its_user_another_one_by_the_token(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    assert headers(site)["Authorization"].startswith("Basic ")
    other = make_site("standard", applied=True, cluster=False)
    with pytest.raises(Misconfigured, match="gate-token is empty"):
        headers(other)
    name = "projects/acme-delivery/secrets/gate-token/versions/1"
    other.google.state.resources["secret-data", name] = {"data": b64encode(b"text\n").decode()}
    assert headers(other) == {"Authorization": "Bearer text"}
    assert headers(make_site("existing")) == {}


def test_the_sample_goes_through_the_very_stores_of_the_installation(
    make_site: MakeSite, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bucket's server is the local one; the trigger is asked of the fake, the repository of its twin."""
    site = make_site("standard", applied=True)
    server = StorageServer(tmp_path / "storage")
    server.start()
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", server.url)
    client = gcs_client("acme-delivery")
    for each in ("ledger", "catalog"):
        client.create_bucket(f"acme-delivery-downwind-{each}")
    client.close()
    with contextlib.ExitStack() as ways:
        world = replace(make_catalog_world(site.plan.values, site.cloud(), ways), repository=site.memory.repository)
        step = next(each for each in site.plan.offline() if each.resource.key == "catalog/shop")
        for _ in range(2):
            said = CatalogCalls(lambda: world).send(step.writes[0].request)
        assert "application shop changed" in said[-1]
        stored = world.catalog.read(names.application("shop"))
        assert stored is not None
        application = applications.registered(stored).application
        assert application.repository.address == "https://github.com/acme/shop.git"
        assert application.images[0].name == "europe-west1-docker.pkg.dev/acme-delivery/images/shop"
        assert [each.account for each in application.environments] == ["kubernetes", "kubernetes"]
        assert world.ledger.list("environment/"), "the tips of today are the baseline"
    server.stop()


def test_without_a_token_gates_user_is_made_and_everybody_signs_in_as_it(make_site: MakeSite) -> None:
    """Secret Manager has user and password, the functions sign in by them, and Gate gets the password alone."""
    spinnaker = {**make_plan("standard").values.config["spinnaker"], "tokenSecret": None}
    site = make_site("standard", applied=True, cluster=False, spinnaker=spinnaker)
    assert site.apply().failed == {}
    assert site.due() == []
    pair = secret_text(site.google.state, "projects/acme-delivery/secrets/downwind-gate/versions/1")
    user, _, password = pair.partition(":")
    assert user == "downwind"
    assert len(password) > 40
    found = site.gate.cluster.get("spinnaker", "Secret", "downwind-gate")
    assert found is not None
    assert b64decode(found["data"]["password"]).decode() == password
    ours = {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    assert headers(site) == ours
    place = "projects/acme-delivery/secrets/downwind-gate/versions/2"
    site.google.state.resources["secretmanager", place] = {"name": place, "state": "ENABLED"}
    site.google.state.resources["secret-data", place] = {"data": b64encode(b"downwind:another").decode()}
    assert headers(site) == ours, "until it is applied, Gate knows the version before"
    assert {each.partition("/")[0] for each in site.due()} == {"change function", "change copy"}
    function = next(each for each in site.plan.resources if each.key == "function/on-tick")
    variables = function.body["serviceConfig"]["environmentVariables"]
    assert variables["DOWNWIND_GATE_SIGN_IN"] == "basic"
    assert variables["DOWNWIND_GATE_SECRET"] == f"downwind-gate/versions/{NEWEST}"
    stored = site.google.state.resources["cloudfunctions", FUNCTION]["serviceConfig"]["environmentVariables"]
    assert stored["DOWNWIND_GATE_SECRET"] == "downwind-gate/versions/1"
    assert "DOWNWIND_GATE_TOKEN_SECRET" not in variables
    read_settings({**variables, "K_SERVICE": "x"})
    command = next(each for each in site.plan.offline() if each.resource.kind == "release").writes[0].command
    assert command is not None
    assert 'gate.authentication.basic.secret="downwind-gate"' in command
    script_lines = "\n".join(script(site.plan, site.plan.offline()))
    assert "printf 'downwind:%s'" in script_lines
    assert password not in script_lines
    assert password not in json.dumps(site.google.state.resources["cloudfunctions", FUNCTION])
