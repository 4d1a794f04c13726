"""HTTP to handlers: what every function does before and after the real work.

The order never changes: the sender's token, the size, the envelope, the handler. An answer is a status and nothing else:
never a stack trace, a header or a body. 204 acknowledges; 401 and 413 refuse; 503 asks Pub/Sub to send again.
`operate` alone answers, since people call it.
"""

import json
import os
import threading
import uuid
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache
from typing import TYPE_CHECKING

from downwind import logs
from downwind.errors import DownwindError, PermanentError, Refused, TransientError, Unauthorized
from downwind.events import webhook
from downwind.events.envelope import read_message
from downwind.events.limits import PUBSUB_LIMIT, WEBHOOK_LIMIT
from downwind.events.order import ORDER_LIMIT, read_order
from downwind.events.sources import PARSERS, TOPICS
from downwind.model.event import Ignored, Message
from downwind.perform import parking, record
from downwind.perform.orders import Forbidden, carry_out
from downwind.perform.tick import tick, time_of
from downwind.perform.world import World
from downwind.ports import Groups, Secrets
from downwind.reconcile import names
from downwind.settings import Settings, read_settings
from downwind.wiring import Lazy, make_callers, make_groups, make_secrets, make_tokens, make_world

if TYPE_CHECKING:
    from flask import Request

Answer = tuple[str, int]
JsonAnswer = tuple[str, int, dict[str, str]]


class Instance:
    """What one process keeps between requests."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.world: World = make_world(settings)
        self.verify = make_tokens(settings)
        self.groups: Groups = Lazy(lambda: make_groups(settings))
        self._callers = Lazy(lambda: make_callers(settings))
        self._secrets: Secrets = Lazy(lambda: make_secrets(settings))

    def caller(self, authorization: str | None) -> str:
        """Whose token it is. Raises Unauthorized; on a laptop as in the cloud, since who ordered is what is recorded."""
        return str(self._callers.email(authorization))

    def check_sender(self, authorization: str | None) -> bool:
        """Whether a token was checked. Raises Unauthorized. On a laptop a call by hand needs none, but one that is there must
        hold, as in the cloud."""
        by_hand = self.settings.local and authorization is None
        if self.verify is None or by_hand:
            return False
        self.verify(authorization)
        return True

    def webhook_secrets(self) -> webhook.ReceiveSecrets:
        return webhook.ReceiveSecrets(
            github=_lines(self._secrets.read, self.settings.github_secrets),
            spinnaker=_lines(self._secrets.read, self.settings.echo_secret),
        )


def _lines(read: Callable[[str], str], name: str | None) -> tuple[bytes, ...]:
    """Two secrets at a time while one is being replaced: one a line."""
    return tuple(line.encode() for line in read(name).splitlines() if line) if name else ()


_making = threading.Lock()


def instance() -> Instance:
    """The process's one: `cache` alone would let two first requests at once make two."""
    with _making:
        return _made()


@cache
def _made() -> Instance:
    return Instance(read_settings(os.environ))


def on_message(kind: str, request: "Request") -> Answer:
    """One Pub/Sub message of one of the five sources."""

    def work(here: Instance, message: Message) -> str:
        return record.handle(here.world, PARSERS[kind], TOPICS[kind], message)

    return _guarded(request, TOPICS[kind], work)


def on_tick(request: "Request") -> Answer:
    def work(here: Instance, message: Message) -> str:
        return tick(here.world, time_of(message.published, datetime.now(UTC)))

    return _guarded(request, "ticks", work)


def _guarded(request: "Request", source: str, work: Callable[[Instance, Message], str]) -> Answer:
    try:
        here = instance()
        if request.method != "POST":
            return _refused(source, f"{request.method} is not how a message comes", 405)
        token = here.check_sender(request.headers.get("Authorization"))
        body = _body(request, PUBSUB_LIMIT)
        if body is None:
            return _refused(source, "the body is over the limit", 413)
        try:
            message = read_message(dict(request.headers), body)
            # A direct push does not name its topic; each function serves one.
            message = replace(message, topic=message.topic or source, token=token)
        except Refused as error:
            return _park_envelope(here.world, source, body, error, token=token)
        word = work(here, message)
        logs.info(word, source=source, message_id=message.id, attempt=message.attempt)
        return "", 204
    except Unauthorized as error:
        return _refused(source, str(error), 401)
    except TransientError as error:
        return _refused(source, str(error), 503)
    except PermanentError as error:
        logs.error(f"{source}: {error}")
        return "", 500
    except Exception as error:
        # The text may hold anything; the type and the place are enough to find it.
        logs.error(f"{source}: {type(error).__name__} at {_place(error)}")
        return "", 500


def _park_envelope(world: World, source: str, body: bytes, error: Refused, *, token: bool) -> Answer:
    """Not even a message: kept under the hash of its body, and acknowledged, or it would come back for days."""
    identifier = names.digest_of(body.hex())
    message = Message(id=identifier, data=body, attributes={}, topic=source, token=token)
    parking.park(world, names.event(source, identifier), message, error.reason)
    return "", 204


def receive(request: "Request") -> Answer:
    """Webhooks in, messages out: verifies and publishes, nothing more."""
    try:
        here = instance()
        if request.method != "POST":
            return _refused("receive", f"{request.method} is not how a webhook comes", 405)
        headers = dict(request.headers)
        outgoing = webhook.by_headers(headers, here.webhook_secrets())
        if outgoing is None:
            body = _body(request, WEBHOOK_LIMIT)
            if body is None:
                return _refused("receive", "the body is over the limit", 413)
            outgoing = webhook.receive(headers, body, here.webhook_secrets())
        if isinstance(outgoing, Ignored):
            logs.info(f"ignored: {outgoing.reason}", source="receive")
            return "", 204
        here.world.publisher.publish(outgoing.topic, outgoing.data, outgoing.attributes)
        return "", 204
    except Unauthorized as error:
        return _refused("receive", str(error), 401)
    except Refused as error:
        return _refused("receive", error.reason, 400)
    except DownwindError as error:
        return _refused("receive", str(error), 503)
    except Exception as error:
        logs.error(f"receive: {type(error).__name__} at {_place(error)}")
        return "", 500


def operate(request: "Request") -> JsonAnswer:
    """An operator's order over HTTPS. Unlike the others it answers, in JSON: a person waits for it."""
    try:
        here = instance()
        if request.method != "POST":
            return _told(405, f"{request.method} is not how an order comes", fix="POST it")
        email = here.caller(request.headers.get("Authorization"))
        body = _body(request, ORDER_LIMIT)
        if body is None:
            return _told(413, f"an order has at most {ORDER_LIMIT} bytes")
        try:
            asked = read_order(body, str(uuid.uuid4()))
        except Refused as error:
            return _told(400, error.reason, field=error.field, fix=error.fix)
        done = carry_out(here.world, here.groups, asked, email, here.settings.operators_of_all, datetime.now(UTC))
        logs.info("ordered", verb=asked.verb, who=email, request=asked.id, dry_run=asked.dry_run)
        return _json(200, {"who": done.who, "orders": done.orders, "refused": done.refused})
    except Forbidden as error:
        return _told(403, str(error))
    except Unauthorized as error:
        return _told(401, str(error), fix="downwind sends `gcloud auth print-identity-token`: gcloud auth login")
    except Refused as error:
        return _told(400 if error.field else 409, error.reason, field=error.field, fix=error.fix)
    except TransientError as error:
        return _told(503, str(error), fix="send it again with the same id: that does no harm")
    except Exception as error:
        # The text may hold anything; a PermanentError of the catalog or the ledger too is not for everybody.
        logs.error(f"operate: {type(error).__name__} at {_place(error)}")
        return _told(500, "something is wrong in operate itself; its log says where")


def _told(status: int, reason: str, *, field: str | None = None, fix: str | None = None) -> JsonAnswer:
    logs.warning(f"{status}: {reason}", source="operate")
    return _json(status, {"error": {"code": status, "reason": reason, "field": field, "fix": fix}})


def _json(status: int, document: object) -> JsonAnswer:
    return json.dumps(document), status, {"Content-Type": "application/json", "Cache-Control": "no-store"}


def _body(request: "Request", limit: int) -> bytes | None:
    """At most `limit` bytes; None for more, told by the length where there is one, else by reading one byte too many."""
    if (request.content_length or 0) > limit:
        return None
    body: bytes = request.stream.read(limit + 1)
    return None if len(body) > limit else body


def _refused(source: str, why: str, status: int) -> Answer:
    logs.warning(f"{status}: {why}", source=source)
    return "", status


def _place(error: BaseException) -> str:
    """File and line of the innermost frame, without any of its values."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace else "?"
