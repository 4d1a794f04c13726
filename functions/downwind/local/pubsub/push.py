"""Push delivery: a few threads for each push subscription, woken by the publish itself."""

import logging
import threading
import time

import urllib3

from downwind.local.pubsub.deliveries import Delivered, Deliveries
from downwind.local.pubsub.push_request import ACKNOWLEDGED, push_request
from downwind.local.pubsub.state import Live, State
from downwind.local.pubsub.tokens import Tokens

log = logging.getLogger("downwind.local.pubsub")

_LEASE_MARGIN = 5.0
"""A worker that lives sees the ack deadline pass by itself; the lease is for one that does not."""


class Pusher:
    """`concurrency` requests of one subscription may be under way at a time; threads are started as they are needed."""

    def __init__(self, state: State, deliveries: Deliveries, tokens: Tokens, concurrency: int) -> None:
        self._state = state
        self._deliveries = deliveries
        self._tokens = tokens
        self._concurrency = concurrency
        self._pool = urllib3.PoolManager(num_pools=100, maxsize=concurrency, retries=False)
        self._threads: dict[Live, set[threading.Thread]] = {}
        self._idle: dict[Live, int] = {}
        self._stopping = False
        state.changed = self.changed

    def changed(self, live: Live) -> None:
        """A subscription came, changed or went; called under the lock."""
        live.condition.notify_all()
        if not self._over(live) and not self._threads.get(live):
            self._add_worker(live)

    def start(self) -> None:
        with self._state.lock:
            for live in self._state.subscriptions.values():
                self.changed(live)

    def stop(self, patience: float = 2.0) -> None:
        """Requests under way get `patience` seconds in all; what has not answered is sent again after the next start."""
        with self._state.lock:
            self._stopping = True
            threads = [thread for workers in self._threads.values() for thread in workers]
            for live in self._threads:
                live.condition.notify_all()
        end = time.monotonic() + patience
        for thread in threads:
            thread.join(max(0.0, end - time.monotonic()))
        self._pool.clear()

    def _over(self, live: Live) -> bool:
        return self._stopping or live.deleted or not live.endpoint

    def _add_worker(self, live: Live) -> None:
        thread = threading.Thread(target=self._work, args=(live,), daemon=True, name=f"push {live.name}")
        self._threads.setdefault(live, set()).add(thread)
        thread.start()

    def _work(self, live: Live) -> None:
        while (delivered := self._next(live)) is not None:
            good = self._send(live, delivered)
            with self._state.lock:
                if self._stopping:
                    break
                if good:
                    self._deliveries.acknowledge(live, [delivered.ack_id])
                else:
                    self._deliveries.fail(live, delivered.id, delivered.attempt)

    def _next(self, live: Live) -> Delivered | None:
        """Waits for a message; None when this worker's time is over."""
        with self._state.lock:
            while not self._over(live):
                lease = live.resource.ack_deadline_seconds + _LEASE_MARGIN
                claimed = self._deliveries.claim(live, 1, lease, one_of_a_key=True)
                if claimed:
                    workers = self._threads[live]
                    if not self._idle.get(live) and len(workers) < self._concurrency:
                        self._add_worker(live)
                    return claimed[0]
                self._idle[live] = self._idle.get(live, 0) + 1
                live.condition.wait(self._deliveries.pause(live))
                self._idle[live] -= 1
            self._threads[live].discard(threading.current_thread())
            return None

    def _send(self, live: Live, delivered: Delivered) -> bool:
        """One POST, within the ack deadline. Redirects are not followed: they are nacks."""
        config, deadline = live.resource.push_config, live.resource.ack_deadline_seconds
        try:
            headers, body = push_request(live, delivered)
            if config.HasField("oidc_token"):
                audience = config.oidc_token.audience or config.push_endpoint
                token = self._tokens.issue(audience, config.oidc_token.service_account_email)
                headers["Authorization"] = f"Bearer {token}"
            timeout = urllib3.Timeout(total=deadline)
            answer = self._pool.request(
                "POST", config.push_endpoint, body=body, headers=headers, timeout=timeout, redirect=False
            )
        except Exception as error:  # whatever keeps a request from being answered is a nack
            log.info("push %s of %s to %s: %s", delivered.id, live.name, config.push_endpoint, error)
            return False
        if answer.status not in ACKNOWLEDGED:
            log.info("push %s of %s: the receiver answered %s", delivered.id, live.name, answer.status)
        return answer.status in ACKNOWLEDGED
