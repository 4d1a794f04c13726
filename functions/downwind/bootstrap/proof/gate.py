"""Does Gate answer somebody who has not signed in? Asked with a GET that changes nothing, from here."""

import ipaddress
from collections.abc import Callable
from urllib.parse import urlsplit

from downwind.bootstrap.proof.asking import Answer, ask
from downwind.bootstrap.proof.doors import GROUP, REFUSED
from downwind.bootstrap.proof.result import Result, State
from downwind.errors import TransientError

_WHAT = "Gate from outside, without signing in"
_INSIDE = (".svc", ".cluster.local", ".internal")


def check(gate: str, *, local: bool, namespace: str = "spinnaker", asked: Callable[[str, str], Answer] = ask) -> Result:
    """`namespace`: the one that Spinnaker lives in: `spin-gate.spinnaker` is a name of the cluster's network."""
    host = urlsplit(gate).hostname or ""
    if local:
        return _result("not applicable", "a local Gate asks nobody who they are")
    inside = _inside(host, namespace)
    if inside:
        return _result("not applicable", f"{host} is {inside}: nobody outside can ask for it")
    url = f"{gate.rstrip('/')}/applications"
    try:
        answer = asked("GET", url)
    except TransientError as error:
        return _result(
            "unreachable", str(error), "who does not answer has not refused: run it again from where Gate answers"
        )
    if answer.status in REFUSED:
        return _result("ok", f"Gate answered {answer.status}")
    if answer.status in {302, 303, 307} and "/applications" not in answer.headers.get("Location", "/applications"):
        return _result("ok", f"Gate answered {answer.status}: it sends people to sign in")
    return _result(
        "failed",
        f"Gate answered {answer.status} to somebody who has not signed in",
        "switch Gate's authentication on, or take it off the network that this machine is in",
    )


def _inside(host: str, namespace: str) -> str | None:
    """What it is, if it is inside. No dot: a name that a pod's resolver completes."""
    try:
        return "an address of a private network" if ipaddress.ip_address(host).is_private else None
    except ValueError:
        inside = "." not in host or host.endswith((*_INSIDE, f".{namespace}"))
        return "a name inside the cluster's network" if inside else None


def _result(state: State, why: str, fix: str | None = None) -> Result:
    return Result(group=GROUP, what=_WHAT, state=state, why=why, fix=fix)
