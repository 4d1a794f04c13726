"""Runs one part of a local world as a process: `python -m downwind.local.parts PART FOLDER`. Ends with its parent."""

import contextlib
import logging
import os
import signal
import sys
import threading
from pathlib import Path
from typing import Protocol

from downwind.local.outbox import Outbox
from downwind.local.world_file import ECHO_SECRET, LocalWorld, open_world


class Part(Protocol):
    def start(self) -> None: ...

    def stop(self) -> None: ...


def make(name: str, world: LocalWorld) -> tuple[Part, Outbox | None]:
    """The part, not started, and the outbox that it sends through (stop it after the part)."""
    port, data = world.ports[name], world.data(name)
    data.mkdir(parents=True, exist_ok=True)
    pubsub = world.url("pubsub_rest")
    match name:
        case "storage":
            from downwind.local.storage import StorageServer

            return StorageServer(data, port=port), None
        case "pubsub":
            from downwind.local.pubsub import Broker

            return Broker(data, port=port, rest_port=world.ports["pubsub_rest"]), None
        case "functions":
            from downwind.local.functions_server import FunctionsServer

            return FunctionsServer(port=port, environment=world.environment()), None
    outbox = Outbox(data / "outbox.sqlite")
    match name:
        case "git":
            from downwind.local.git_server import GitServer

            repositories = data / "repositories"
            return GitServer(
                repositories,
                port=port,
                outbox=outbox,
                pubsub_url=pubsub,
                project=world.project,
                builds_url=world.url("builds"),
            ), outbox
        case "registry":
            from downwind.local.registry import RegistryServer

            return RegistryServer(data, port=port, outbox=outbox, pubsub_url=pubsub, project=world.project), outbox
        case "builds":
            from downwind.local.builds import BuildsServer

            return BuildsServer(
                data,
                port=port,
                outbox=outbox,
                pubsub_url=pubsub,
                project=world.project,
                git_url=world.url("git"),
                mirror=f"127.0.0.1:{world.ports['registry']}",
            ), outbox
        case "gate":
            from downwind.local.gate import GateServer

            return GateServer(
                data,
                port=port,
                outbox=outbox,
                storage_url=world.url("storage"),
                receive_url=f"{world.url('functions')}/receive",
                echo_secret=(world.secrets / ECHO_SECRET).read_text().strip(),
                account=world.names.account,
                every_namespace=world.names.every_namespace,
            ), outbox
    raise ValueError(f"there is no part {name!r}")


def run(name: str, world: LocalWorld) -> None:
    """Serves until SIGTERM, or until the supervisor is gone."""
    stopping = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stopping.set())
    # Ctrl-C reaches the whole process group; the supervisor stops its parts in order.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    parent = os.getppid()
    part, outbox = make(name, world)
    part.start()
    while not stopping.wait(0.5):
        if os.getppid() != parent:
            break
    part.stop()
    if outbox is not None:
        outbox.stop()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with contextlib.suppress(BrokenPipeError):
        run(sys.argv[1], open_world(Path(sys.argv[2])))
