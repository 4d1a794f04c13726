"""Where `downwind bootstrap verify` asks: the installation that a configuration names, or the local world."""

import json
import os
import urllib.request
from dataclasses import replace
from typing import Any

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.kinds.compute import Functions
from downwind.bootstrap.kinds.pins import read_versions
from downwind.bootstrap.proof.cloud_doors import CloudDoors
from downwind.bootstrap.proof.site import Canary, Site, Token
from downwind.bootstrap.proof.tokens import stranger
from downwind.bootstrap.wanted import Resource
from downwind.bootstrap.write import NEWEST
from downwind.cli.bootstrap_place import Place
from downwind.cli.context import PREFIX, Session
from downwind.errors import Refused, TransientError
from downwind.wiring import make_secrets

_STRANGER = "stranger@local.example"
_CALL_SECONDS = 20


def cloud_session(place: Place, session: Session, cloud: Cloud | None = None) -> Session:
    """As a function of the installation is set; what DOWNWIND_* says here counts more: a Gate that is forwarded, a kubeconfig.
    `cloud`: says which versions of secrets the function was given; where it does not, they are the newest."""
    function = next(each for each in place.plan.resources if each.key == "function/on-push")
    if cloud is not None:
        function = _standing(place, cloud, function)
    variables = function.body["serviceConfig"]["environmentVariables"]
    given = {name: str(value).removesuffix(f"/versions/{NEWEST}") for name, value in variables.items()}
    mine = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    over = {name: value for name, value in os.environ.items() if name.startswith(PREFIX)}
    known = {name: value for name, value in given.items() if name.startswith(PREFIX) and "SENDERS" not in name}
    return replace(session, environment={**mine, **known, **over}, world_file=None)


def _standing(place: Place, cloud: Cloud, function: Resource) -> Resource:
    kind = place.plan.kinds["function"]
    assert isinstance(kind, Functions)
    try:
        live = cloud.read(kind.where(function))
    except TransientError:  # what a proof asks itself says why
        live = None
    return function if live is None else kind.kept(function, live)


def newest(cloud: Cloud, project: str, secret: str) -> str:
    """With its newest version that is enabled: one that was disabled after it would be the latest. Where nobody here may list
    them, the latest."""
    try:
        number = read_versions(cloud, f"projects/{project}/secrets/{secret}").newest
    except TransientError:
        number = None
    return secret if number is None else f"{secret}/versions/{number}"


def cloud_site(place: Place, session: Session, canary: Canary | None, account: str | None) -> Site:
    values = place.plan.values
    config = values.config
    named = config["verify"]
    if canary is None and named is not None:
        canary = Canary(application=named["application"], environment=named["environment"], file=named["file"])
    token_secret = named["tokenSecret"] if named is not None else None
    functions = {each.id for each in place.plan.resources if each.kind == "function"}
    webhooks = str(values.resource_name("secret", "webhooks"))
    return Site(
        world=session.world,
        url=values.url,
        functions=frozenset(functions),
        doors=CloudDoors(place.plan, place.cloud),
        webhooks=config["hear"]["webhooks"],
        spinnaker=config["hear"]["spinnaker"],
        secret=lambda: make_secrets(session.settings).read(newest(place.cloud, values.project, webhooks)),
        stranger=lambda audience: stranger(audience, account),
        push_email=str(values.resource_name("account", "push")),
        callers=tuple(config["operate"]["callers"]),
        gate=config["spinnaker"]["gate"],
        canary=canary,
        push_token=(lambda: make_secrets(session.settings).read(token_secret)) if token_secret else None,
    )


def local_site(session: Session, canary: Canary | None) -> Site:
    settings = session.settings
    if not settings.local or settings.operate_url is None:
        raise Refused("this is no local world", fix="downwind local up, or leave --local out")
    base = settings.operate_url.rpartition("/")[0]
    return Site(
        world=session.world,
        url=lambda function: f"{base}/{function.replace('-', '_')}",
        functions=frozenset({"receive", "operate"}),
        doors=None,
        webhooks=settings.github_secrets is not None,
        spinnaker=settings.echo_secret is not None,
        secret=lambda: make_secrets(settings).read(str(settings.github_secrets)),
        stranger=lambda audience: _local_token(str(settings.certs_url), settings.push_audience or audience, audience),
        push_email=str(settings.push_email),
        callers=(),
        gate=settings.gate_url,
        canary=canary,
        tokens=settings.push_audience is not None,
        pause=0.3,
    )


def _local_token(certs: str, pushed: str, audience: str) -> Token:
    """The broker signs for whom it is told to. All functions but operate share one audience there."""
    url = certs.replace("/-/certs", "/-/token")
    wanted: dict[str, Any] = {"audience": audience if audience.endswith("/operate") else pushed, "email": _STRANGER}
    request = urllib.request.Request(
        url, json.dumps(wanted).encode(), {"Content-Type": "application/json"}, method="POST"
    )
    try:
        with urllib.request.urlopen(request, timeout=_CALL_SECONDS) as answer:
            return Token(email=_STRANGER, text=str(json.loads(answer.read())["token"]))
    except (OSError, ValueError, KeyError) as error:
        raise TransientError("the local world gave no token") from error
