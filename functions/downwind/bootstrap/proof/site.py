"""What a proof asks: addresses, doors and identities of one installation, in the cloud or on a laptop."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol

from downwind.perform.world import World


@dataclass(frozen=True, slots=True, kw_only=True)
class Token:
    """An ID token and whose it is. Its text is a secret."""

    email: str
    text: str

    @property
    def header(self) -> Mapping[str, str]:
        return {"Authorization": f"Bearer {self.text}"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """A function as Google says it is now. `invokers`: members that may call it."""

    internal: bool
    invokers: frozenset[str]

    @property
    def open_to_all(self) -> bool:
        return bool({"allUsers", "allAuthenticatedUsers"} & self.invokers)


class Doors(Protocol):
    def read(self, function: str) -> Door | None:
        """None: there is no such function. Raises what Google says otherwise."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """The application that a proof may deploy at any time, and the file of its repository that a proof changes."""

    application: str
    environment: str
    file: str = "downwind-verify.txt"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """`url`: a function's address, by its id (`on-push`). `functions`: which of `receive` and `operate` are there. `doors`: None
    on a laptop, where no IAM stands before a function. `webhooks`: GitHub's webhooks are heard; `spinnaker`: Echo is.
    `stranger`: a token of somebody who may not call us, for an audience. `secret`: GitHub's, where webhooks are heard.
    `pause`: seconds between two looks."""

    world: World
    url: Callable[[str], str]
    functions: frozenset[str]
    doors: Doors | None
    webhooks: bool
    spinnaker: bool
    secret: Callable[[], str]
    stranger: Callable[[str], Token]
    push_email: str
    callers: tuple[str, ...]
    gate: str
    canary: Canary | None
    push_token: Callable[[], str] | None = None
    """One that may push to the canary's repository by https; None: git's own sign-in."""
    tokens: bool = True
    pause: float = 3.0

    @property
    def local(self) -> bool:
        return self.doors is None
