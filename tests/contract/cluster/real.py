"""A real API server for the time of one test session, from the programs that scripts/kube-apiserver has built."""

import contextlib
import subprocess
import uuid
from collections.abc import Iterator
from pathlib import Path

from tests.contract.cluster.kubectl import ApiServer, Kubectl, until

from downwind.local.world_file import free_ports


@contextlib.contextmanager
def kube_apiserver(programs: Path, data: Path) -> Iterator[ApiServer]:
    """etcd and kube-apiserver on loopback, with the shipped policy in effect; both end with the block."""
    tokens = {who: uuid.uuid4().hex for who in ("admin", "deployer", "breaker", "verifier")}
    lines = [
        f'{tokens["admin"]},admin,1,"system:masters"',
        *(f"{tokens[who]},{who},{who}" for who in ("deployer", "breaker", "verifier")),
    ]
    (data / "tokens.csv").write_text("\n".join(lines) + "\n")
    subprocess.run(["openssl", "genrsa", "-out", data / "sa.key", "2048"], check=True, capture_output=True)
    client, peer, port = (f"http://127.0.0.1:{port}" for port in free_ports(3))
    etcd: list[str | Path] = [programs / "etcd", "--data-dir", data / "etcd", "--unsafe-no-fsync"]
    etcd += ["--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer]
    etcd += ["--initial-advertise-peer-urls", peer, "--initial-cluster", f"default={peer}"]
    api: list[str | Path] = [
        programs / "kube-apiserver",
        f"--etcd-servers={client}",
        f"--secure-port={port.rpartition(':')[2]}",
    ]
    api += ["--bind-address=127.0.0.1", f"--cert-dir={data / 'certs'}", f"--token-auth-file={data / 'tokens.csv'}"]
    api += [
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
        "--service-account-issuer=https://lab",
    ]
    api += [f"--service-account-{use}-file={data / 'sa.key'}" for use in ("key", "signing-key")]
    api += ["--disable-admission-plugins=ServiceAccount"]
    with running(etcd, data / "etcd.log"), running(api, data / "kube-apiserver.log"):
        found = ApiServer(port.replace("http:", "https:"), tokens, str(data / "certs" / "apiserver.crt"))
        kubectl = Kubectl(found)
        until(lambda: (data / "certs" / "apiserver.crt").exists() and kubectl.ready(), "the API server to be ready")
        kubectl.rights()
        kubectl.install()
        yield found


@contextlib.contextmanager
def running(command: list[str | Path], log: Path) -> Iterator[None]:
    """Ends when the block does, before what it depends on: the API server needs its etcd to the last."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)
    try:
        yield
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
