"""Calls that have to be refused. Each carries what would do nothing if it were let in: a message that the parser ignores, a ping,
a dry run. A refusal counts only for its own reason; who does not answer has not refused."""

import json
import uuid
from collections.abc import Callable, Iterator, Mapping

from downwind.bootstrap.proof.asking import Answer, ask
from downwind.bootstrap.proof.result import Result, State
from downwind.bootstrap.proof.site import Door, Site
from downwind.errors import DownwindError

GROUP = "refused"
REFUSED = frozenset({401, 403})
_IGNORED = json.dumps(
    {
        "message": {
            "messageId": "downwind-verify",
            "data": "e30=",
            "attributes": {"source": "github", "event": "ping", "delivery": "downwind-verify"},
        },
        "subscription": "downwind-verify",
    }
).encode()
"""A push of Pub/Sub whose message asks nothing of us: it is logged, and written nowhere."""
_JSON = {"Content-Type": "application/json"}
_PING = {**_JSON, "X-GitHub-Event": "ping", "X-GitHub-Delivery": "downwind-verify"}
_FORGED = {"Authorization": "Bearer eyJhbGciOiJSUzI1NiIsImtpZCI6ImRvd253aW5kIn0.e30.AAAA"}


def checks(site: Site) -> Iterator[Callable[[], Result]]:
    """One for each line; they may be made at once."""
    yield lambda: _pushed(site, "a push without a token to on-push", {})
    yield lambda: _pushed(site, "a push with a forged token to on-push", _FORGED)
    yield lambda: _of_another(site)
    yield lambda: _webhook(site, "an unsigned webhook", {})
    yield lambda: _webhook(site, "a webhook with a wrong signature", {"X-Hub-Signature-256": f"sha256={'0' * 64}"})
    yield lambda: _echo(site)
    yield lambda: _order(site, "an order without a token at operate", {})
    yield lambda: _stranger(site)


def _pushed(site: Site, what: str, headers: Mapping[str, str]) -> Result:
    if site.local and not headers:
        return _none(what, "on a laptop a call by hand needs no token, on purpose")
    return _tried(site, what, "on-push", headers, _IGNORED)


def _of_another(site: Site) -> Result:
    what = "a push with a token of another account to on-push"
    try:
        token = site.stranger(site.url("on-push"))
    except DownwindError as error:
        return _unreachable(what, f"there is no token to try it with: {error}")
    if token.email == site.push_email:
        return _none(
            what, f"you are {token.email}, whose token is the right one", "give another one: --stranger ACCOUNT"
        )
    return _tried(site, f"{what} ({token.email})", "on-push", token.header, _IGNORED)


def _webhook(site: Site, what: str, proof: Mapping[str, str]) -> Result:
    if not site.webhooks:
        return _none(what, "no webhooks are heard here")
    return _tried(site, what, "receive", {**_PING, **proof}, b'{"zen": "downwind verify"}', open_by_plan=True)


def _echo(site: Site) -> Result:
    what = "an event of Spinnaker's Echo with a wrong secret"
    if not site.spinnaker:
        return _none(what, "Spinnaker's Echo is not heard here")
    return _tried(site, what, "receive", {"Authorization": "Bearer downwind-verify"}, b"{}", open_by_plan=True)


def _order(site: Site, what: str, headers: Mapping[str, str]) -> Result:
    if "operate" not in site.functions:
        return _none(what, "there is no function operate here")
    where = (
        {"application": site.canary.application, "environment": site.canary.environment}
        if site.canary
        else {"all": True}
    )
    order = {"id": str(uuid.uuid4()), "verb": "hold", "why": "downwind verify", "dry_run": True, **where}
    return _tried(site, what, "operate", headers, json.dumps(order).encode())


def _stranger(site: Site) -> Result:
    what = "an order from a stranger at operate"
    if "operate" not in site.functions:
        return _none(what, "there is no function operate here")
    try:
        token = site.stranger(site.url("operate"))
    except DownwindError as error:
        return _unreachable(what, f"there is no token to try it with: {error}")
    if {f"user:{token.email}", f"serviceAccount:{token.email}"} & set(site.callers):
        return _none(what, f"you are {token.email}, who may call it", "try it as another one: --stranger ACCOUNT")
    return _order(site, f"{what} ({token.email})", token.header)


def _tried(
    site: Site,
    what: str,
    function: str,
    headers: Mapping[str, str],
    body: bytes,
    *,
    open_by_plan: bool = False,
) -> Result:
    try:
        door = site.doors.read(function) if site.doors is not None else None
        if site.doors is not None and door is None:
            return Result(
                group=GROUP,
                what=what,
                state="failed",
                why=f"there is no function {function}",
                fix="downwind bootstrap apply",
            )
        if door is not None and door.open_to_all and not open_by_plan:
            everybody = ", ".join(sorted(door.invokers))
            return Result(
                group=GROUP,
                what=what,
                state="failed",
                why=f"{function} may be called by {everybody}",
                fix="downwind bootstrap apply takes that back",
            )
        answer = ask("POST", site.url(function), {**_JSON, **headers}, body)
    except DownwindError as error:
        return _unreachable(what, str(error))
    state, why = _judged(function, door, answer)
    fix = (
        None
        if state == "ok"
        else f"look at the invokers, the ingress and the settings of {function}: downwind bootstrap plan"
    )
    return Result(group=GROUP, what=what, state=state, why=why, fix=fix)


def _judged(function: str, door: Door | None, answer: Answer) -> tuple[State, str]:
    if answer.status in REFUSED:
        return "ok", f"{function} answered {answer.status}"
    if answer.status == 404 and door is not None and door.internal:
        # Google's front end answers so for the whole internet; that the function is there was read a moment ago.
        return "ok", f"{function} is closed to the internet: its ingress, read now, is internal, and it answered 404"
    if 200 <= answer.status < 300:
        return "failed", f"{function} answered {answer.status}: it was let in"
    return (
        "failed",
        f"{function} answered {answer.status}, which is no refusal for want of a proof: it was let in, or the door is another's",
    )


def _none(what: str, why: str, fix: str | None = None) -> Result:
    return Result(group=GROUP, what=what, state="not applicable", why=why, fix=fix)


def _unreachable(what: str, why: str) -> Result:
    return Result(group=GROUP, what=what, state="unreachable", why=why, fix="run it again from where it can be asked")
