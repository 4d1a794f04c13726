"""The chart's configuration of other programs, read by those: Deck's Apache, and PostgreSQL on an empty volume."""

import http.server
import os
import pwd
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests
from tests.contract.chart.helm import golden
from tests.contract.cluster.kubectl import until

from downwind.local.world_file import free_ports

pytestmark = pytest.mark.chart


def config_map(component: str) -> dict[str, str]:
    name = f"spinnaker-{component}"
    (found,) = [each for each in golden("trial") if each["kind"] == "ConfigMap" and each["metadata"]["name"] == name]
    data: dict[str, str] = found["data"]
    return data


class Echoing(http.server.BaseHTTPRequestHandler):
    """Plays Gate: answers with what it was asked."""

    def do_GET(self) -> None:
        body = f"{self.path}\n{self.headers}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments: object) -> None: ...


@pytest.fixture
def gate() -> Iterator[str]:
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Echoing)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def folder() -> Iterator[Path]:
    """pytest's own are closed to other users, and are closed again by every session that begins."""
    with tempfile.TemporaryDirectory() as found:
        Path(found).chmod(0o755)
        yield Path(found)


@pytest.fixture
def deck(gate: str, folder: Path) -> Iterator[str]:
    """Apache with the rendered files, at other places and another port."""
    fetched = Path(os.environ["CHART_TOOLS"]) / "apache"
    if not (fetched / "usr/sbin/apache2").exists():
        pytest.skip("NOT TESTED: Deck's configuration, scripts/chart-tools could not get Apache")
    apache = shutil.copytree(fetched, folder / "apache")  # the cache may be closed to the user that it runs as
    (port,) = free_ports(1)
    places = {
        "/opt/spinnaker/config": f"{folder}/config",
        "/opt/deck/html": f"{folder}/html",
        "ServerRoot /usr/lib/apache2": f"ServerRoot {apache}/usr/lib/apache2",
        "spinnaker-gate:8084": gate,
        "Listen 9000": f"Listen 127.0.0.1:{port}",
        "/tmp/apache2.pid": f"{folder}/apache2.pid",
        "/dev/stderr": f"{folder}/error.log",
        "/dev/stdout": f"{folder}/access.log",
    }
    (folder / "config").mkdir()
    (folder / "html").mkdir()
    (folder / "html/index.html").write_text("<html>Deck</html>")
    for name, text in config_map("deck").items():
        (folder / "config" / name).write_text(moved(text, places))
    command: list[str | Path] = [apache / "usr/sbin/apache2", "-D", "FOREGROUND", "-f", folder / "config/apache2.conf"]
    own = {**os.environ, "LD_LIBRARY_PATH": f"{apache}/usr/lib/x86_64-linux-gnu"}
    process = subprocess.Popen([*unprivileged(folder, 10111), *command], env=own)
    try:
        until(lambda: process.poll() is not None or answers(f"http://127.0.0.1:{port}"), "Apache", 30)
        assert process.poll() is None
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(20)


def moved(text: str, places: Mapping[str, str]) -> str:
    for old, new in places.items():
        text = text.replace(old, new)
    return text


def unprivileged(folder: Path, user: int) -> list[str]:
    """As that user, who is given `folder`, where the tests are root: neither program starts as root."""
    if os.getuid():
        return []
    for path in (folder, *folder.rglob("*")):
        os.chown(path, user, user)
    return ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups"]


def answers(address: str) -> bool:
    try:
        return requests.get(f"{address}/settings.js", timeout=5).ok
    except requests.ConnectionError:
        return False


def test_deck_serves_its_page_its_settings_and_gate(deck: str) -> None:
    page = requests.get(f"{deck}/applications/shop/clusters", timeout=10)
    assert page.text == "<html>Deck</html>"
    assert page.headers["X-Frame-Options"] == "SAMEORIGIN"
    settings = requests.get(f"{deck}/settings.js", timeout=10)
    assert settings.headers["Content-Type"] == "text/javascript"
    assert "gateUrl: '/gate'" in settings.text
    asked = requests.get(f"{deck}/gate/auth/user?x=1", timeout=10, headers={"Host": "spinnaker.acme.example"})
    path, _, headers = asked.text.partition("\n")
    assert path == "/auth/user?x=1"
    assert {"X-Forwarded-Prefix: /gate", "Host: spinnaker.acme.example"} <= set(headers.splitlines())
    assert requests.get(f"{deck}/gatekeeper", timeout=10).text == "<html>Deck</html>"


def test_an_empty_database_gets_a_user_who_owns_the_three(folder: Path) -> None:
    programs = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not programs or os.getuid() or not shutil.which("setpriv"):
        pytest.skip("NOT TESTED: the script that creates the databases: there is no PostgreSQL, or nobody to run it as")
    here, port = programs[-1], str(free_ports(1)[0])
    (folder / "password").write_text("a Word'9")
    script = config_map("postgresql")["create.sql"].replace("/etc/spinnaker/password", f"{folder}/password")
    (folder / "create.sql").write_text(script)
    run_as = unprivileged(folder, pwd.getpwnam("postgres").pw_uid)

    def run(*command: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        own = {"PATH": os.environ["PATH"], **environment}
        return subprocess.run(
            [*run_as, *command], check=False, capture_output=True, text=True, env=own, timeout=60, cwd=folder
        )

    data = folder / "data"
    made = run(here / "initdb", "-D", data, "-U", "postgres", "--auth-local=trust", "--auth-host=scram-sha-256")
    assert made.returncode == 0, made.stderr
    options = f"-p {port} -k {folder} -c listen_addresses=127.0.0.1 -c fsync=off"
    assert run(here / "pg_ctl", "-D", data, "-w", "-l", folder / "log", "-o", options, "start").returncode == 0
    try:
        created = run(here / "psql", "-h", folder, "-p", port, "-U", "postgres", "-f", folder / "create.sql")
        assert created.returncode == 0, created.stderr
        ask = (here / "psql", "-h", "127.0.0.1", "-p", port, "-U", "spinnaker", "-At", "-c")
        for database in ("front50", "orca", "clouddriver"):
            answer = run(*ask, "create table t (i int); select current_database()", database, PGPASSWORD="a Word'9")
            assert answer.stdout.splitlines()[-1:] == [database], answer.stderr
        assert run(*ask, "select 1", "orca", PGPASSWORD="another").returncode
        assert "permission denied" in run(*ask, "create role evil", "orca", PGPASSWORD="a Word'9").stderr
    finally:
        run(here / "pg_ctl", "-D", data, "-m", "immediate", "stop")
