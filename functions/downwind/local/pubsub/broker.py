"""The broker as one thing: start it, point PUBSUB_EMULATOR_HOST at it, stop it."""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import grpc

from downwind.local.pubsub.deliveries import Deliveries
from downwind.local.pubsub.grpc_face import serve
from downwind.local.pubsub.housekeeping import Housekeeper
from downwind.local.pubsub.push import Pusher
from downwind.local.pubsub.resources import Resources
from downwind.local.pubsub.rest_face import RestFace
from downwind.local.pubsub.service import Service
from downwind.local.pubsub.state import State
from downwind.local.pubsub.tokens import Tokens


class Broker:
    """Pub/Sub on 127.0.0.1: gRPC on `port`, REST and the token keys on `rest_port` (0: any free one, known after `start`).

    Whatever was answered to a publisher is in `data` and survives kill -9; a broker on the same folder and ports goes on
    where the last one ended. `concurrency`: push requests of one subscription under way at a time.
    """

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        rest_port: int = 0,
        concurrency: int = 8,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.port = port
        self._state = State(data, clock)
        self._tokens = Tokens(self._state)
        self._resources = Resources(self._state)
        self._deliveries = Deliveries(self._state, self._resources)
        self._service = Service(self._state, self._resources, self._deliveries)
        self._pusher = Pusher(self._state, self._deliveries, self._tokens, concurrency)
        self._housekeeper = Housekeeper(self._state, self._deliveries)
        self._rest = RestFace(self._service, self._tokens, self.stats, rest_port)
        self._grpc: grpc.Server | None = None

    @property
    def host(self) -> str:
        """What PUBSUB_EMULATOR_HOST takes."""
        return f"127.0.0.1:{self.port}"

    @property
    def rest_port(self) -> int:
        return self._rest.port

    @property
    def rest_url(self) -> str:
        return self._rest.url

    @property
    def certs_url(self) -> str:
        return f"{self._rest.url}/-/certs"

    def start(self) -> None:
        """Once in a broker's life. A port that is taken is an error, and leaves nothing running."""
        try:
            self._rest.start()
            # After REST: who waits until the broker is there looks at this port.
            self._grpc, self.port = serve(self.port, self._service.calls, self._service.streaming_pull)
            self._housekeeper.start()
            self._pusher.start()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """For good; a second call does nothing."""
        self._service.stop()
        self._pusher.stop()
        if self._grpc is not None:
            self._grpc.stop(grace=0.2).wait()
            self._grpc = None
        self._rest.stop()
        self._housekeeper.stop()
        self._state.close()

    def token(self, audience: str, email: str) -> str:
        """An ID token as a push to `audience` carries it."""
        return self._tokens.issue(audience, email)

    def stats(self) -> dict[str, Any]:
        """`{"subscriptions": {name: {"backlog", "in_flight", "delivered", "dead_lettered"}}}`; backlog: all not acknowledged."""
        with self._state.transaction() as db:
            rows = db.execute(
                "SELECT s.name, count(d.message), coalesce(sum(d.state), 0), s.delivered, s.dead_lettered"
                " FROM subscription s LEFT JOIN delivery d ON d.subscription = s.name GROUP BY s.name ORDER BY s.name"
            ).fetchall()
        keys = ("backlog", "in_flight", "delivered", "dead_lettered")
        return {"subscriptions": {name: dict(zip(keys, counts, strict=True)) for name, *counts in rows}}
