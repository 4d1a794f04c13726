"""Sites of a proof for tests: doors that answer what a test says, and ledgers of the twin."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from downwind.bootstrap.proof.site import Canary, Door, Site, Token

PUSH = "downwind-push@acme.iam.gserviceaccount.com"


@dataclass
class GivenDoors:
    """What Google would say of each function."""

    doors: dict[str, Door | None] = field(default_factory=dict)
    otherwise: Door | None = field(default_factory=lambda: Door(internal=False, invokers=frozenset()))

    def read(self, function: str) -> Door | None:
        return self.doors.get(function, self.otherwise)


def door(*invokers: str, internal: bool = False) -> Door:
    return Door(internal=internal, invokers=frozenset(invokers or {f"serviceAccount:{PUSH}"}))


def site(world: Any, base: str, *, functions: Iterable[str] = ("receive", "operate"), **more: Any) -> Site:
    return Site(
        **{
            "world": world,
            "url": lambda function: f"{base}/{function}",
            "functions": frozenset(functions),
            "doors": GivenDoors(),
            "webhooks": True,
            "spinnaker": True,
            "secret": lambda: "hush",
            "stranger": lambda _audience: Token(email="ann@acme.example", text="a.b.c"),
            "push_email": PUSH,
            "callers": ("group:sre@acme.example",),
            "gate": "http://spin-gate.spinnaker:8084",
            "canary": Canary(application="shop", environment="staging"),
            "pause": 1.0,
            **more,
        }
    )
