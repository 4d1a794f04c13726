"""A catalog document (YAML's plain data) to an Application, or all of its problems. The JSON Schema for editors says the same
(cli/schemas/application.schema.json); a test holds the two together."""

import re
from collections.abc import Callable, Mapping
from typing import Any, cast

from downwind.model import catalog
from downwind.model.channels import Channel
from downwind.model.cron import read_cron, read_length, read_timezone
from downwind.model.fields import Fields, Invalid, Problem
from downwind.model.patterns import NAME, OPERATOR
from downwind.model.policy import Policy
from downwind.model.read_channels import read_channel
from downwind.model.read_engines import read_engine_options
from downwind.model.read_policy import read_image_path, read_policy, read_verification

API_VERSION = "downwind.dev/v1"
_LENGTH_FORM = "a length such as 30m"
_NAME_FORM = "1 to 63 lower case letters, digits and '-', first and last not '-'"
_CLUSTER = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/-]*")
_TRIGGER = re.compile(r"projects/[^/]+/locations/[^/]+/triggers/[^/]+")
_REF_PATTERN = re.compile(r"refs/(heads|tags)/.+")
_IMAGE_NAME = re.compile(r"[a-z0-9.:-]+(/[a-z0-9._-]+)+")
_TAG = re.compile(r"[^{}]*\{(short_)?commit\}[^{}]*")
_ADDRESS = re.compile(r"https://[^\s@]+|http://(127\.0\.0\.1|localhost)(:\d+)?/\S+")
_PATH = re.compile(r"(?!/)(?!.*(^|/)\.\.(/|$)).+")


def read_application(document: Any) -> catalog.Application:
    """Raises Invalid with every problem of the document."""
    problems: list[Problem] = []
    top = Fields(document, (), problems)
    for field, wanted in (("apiVersion", API_VERSION), ("kind", "Application")):
        if not top.has(field):
            top.problem(field, "is missing", f"write {wanted}")
        top.choice(field, [wanted], wanted)
    name = top.text("name", pattern=NAME, form=_NAME_FORM)
    repository = _repository(top.child("repository"), top, "repository")
    paths = top.texts(
        "paths", pattern=_PATH, form="a path pattern from the root of the repository, such as services/shop/**"
    )
    build = _build(top.child("build"))
    images = tuple(_image(each) for each in top.children("images"))
    manifests = _manifests(top.child("manifests"))
    environments = tuple(_environment(each) for each in top.children("environments"))
    address = repository.address if repository else ""
    notify = tuple(read_channel(each, address) for each in top.children("notify"))
    policy = read_policy(top.child("policy"))
    image_paths = tuple(read_image_path(each) for each in top.children("image_paths"))
    verify = read_verification(top.child("verify"))
    if not images:
        top.problem("images", "is missing", "name at least one image that a release is made of")
    if not environments:
        top.problem("environments", "is missing", "name at least one environment")
    top.done()
    _check_environments(environments, problems)
    _unique([image.name for image in images], "images", problems)
    _unique([each.name for each in notify], "notify", problems)
    _check_notify(notify, environments, problems)
    for index, environment in enumerate(environments):
        if manifests is None and environment.manifests is None:
            path = ("environments", index, "manifests")
            problems.append(Problem(path=path, message="is missing", fix="give manifests here or for the application"))
    if problems:
        raise Invalid(problems)
    return catalog.Application(
        name=name,
        repository=cast(catalog.RepositoryAddress, repository),
        paths=paths or ("**",),
        build=build,
        images=images,
        manifests=manifests or catalog.Manifests(),
        environments=environments,
        notify=notify,
        policy=policy or Policy(),
        image_paths=image_paths,
        verify=verify,
    )


def _repository(fields: Fields | None, parent: Fields, name: str) -> catalog.RepositoryAddress | None:
    if fields is None:
        parent.problem(name, "is missing", "give {address: https://…}")
        return None
    found = catalog.RepositoryAddress(
        address=fields.text("address", pattern=_ADDRESS, form="an https address without user and password"),
        also=fields.texts("also"),
        credentials=fields.optional("credentials", form="the name of a secret"),
    )
    fields.done()
    return found


def _build(fields: Fields | None) -> catalog.BuildRule | None:
    if fields is None:
        return None
    form = "projects/PROJECT/locations/LOCATION/triggers/NAME"
    trigger = fields.text("trigger", pattern=_TRIGGER, form=form)
    found = catalog.BuildRule(trigger=trigger or form, start=fields.boolean("start"))
    fields.done()
    return found


def _image(fields: Fields) -> catalog.ImageRule:
    found = catalog.ImageRule(
        name=fields.text("name", pattern=_IMAGE_NAME, form="HOST/PATH without tag and digest"),
        tag=fields.optional("tag", pattern=_TAG, form="a template with {commit} or {short_commit}"),
    )
    fields.done()
    return found


def _manifests(fields: Fields | None) -> catalog.Manifests | None:
    if fields is None:
        return None
    parts = fields.child("parts")
    named: dict[str, str] = {}
    if parts is not None:
        names = fields.value("parts")
        for part in names if isinstance(names, Mapping) else ():
            if NAME.fullmatch(str(part)):
                named[str(part)] = parts.text(str(part), pattern=_PATH, form="a path below the repository's root")
            else:
                parts.problem(str(part), "is not a name", f"use {_NAME_FORM}")
    other = fields.child("repository")
    found = catalog.Manifests(
        path=fields.optional("path", pattern=_PATH, form="a path below the repository's root, without .."),
        parts=named,
        repository=_repository(other, fields, "repository") if other is not None else None,
        ref=fields.optional("ref", pattern=_REF_PATTERN, form="a full ref name such as refs/heads/main"),
        options=read_engine_options(fields),
    )
    if bool(found.path) == bool(found.parts):
        fields.problem(
            None, "needs exactly one of path and parts", "give path: deploy/{environment}, or parts: {name: path}"
        )
    if (found.repository is None) != (found.ref is None):
        fields.problem(
            None, "repository and ref belong together", "give both, or neither for the application's own repository"
        )
    fields.done()
    return found


def _environment(fields: Fields) -> catalog.Environment:
    pipeline = fields.child("pipeline")
    pipeline_application, pipeline_name = "", ""
    account, artifact_account = None, None
    if pipeline is None:
        fields.problem("pipeline", "is missing", "give {application: SPINNAKER APPLICATION, name: PIPELINE}")
    else:
        pipeline_application = pipeline.text("application", form="the name of Spinnaker's application")
        pipeline_name = pipeline.text("name", form="the name of Spinnaker's pipeline")
        account = pipeline.optional("account", form="the name of Spinnaker's Kubernetes account")
        artifact_account = pipeline.optional("artifact_account", form="the name of Spinnaker's artifact account")
        pipeline.done()
    found = catalog.Environment(
        name=fields.text("name", pattern=NAME, form=_NAME_FORM),
        namespace=fields.text("namespace", pattern=NAME, form="the Kubernetes namespace of fence and guard"),
        pipeline_application=pipeline_application,
        pipeline=pipeline_name,
        refs=fields.texts(
            "refs", pattern=_REF_PATTERN, form="a full ref name or pattern, such as refs/heads/main or refs/tags/v*"
        ),
        after=fields.optional("after", pattern=NAME, form="the name of another environment"),
        soak=_soak(fields),
        promotion=cast(Any, fields.choice("promotion", ["automatic", "request"], "automatic")),
        on_newer=cast(Any, fields.choice("on_newer", ["cancel_waiting", "queue"], "cancel_waiting")),
        on_failure=cast(Any, fields.choice("on_failure", ["hold", "rollback", "nothing"], "nothing")),
        requests=cast(Any, fields.choice("requests", ["topic", "operators"], "operators")),
        operators=fields.texts(
            "operators", pattern=OPERATOR, form="an e-mail address, or group: and the address of a Google group"
        ),
        freeze=tuple(freeze for each in fields.children("freeze") if (freeze := _freeze(each))),
        manifests=_manifests(fields.child("manifests")),
        account=account,
        artifact_account=artifact_account or "gcs",
        policy=read_policy(fields.child("policy")),
        cluster=fields.optional("cluster", pattern=_CLUSTER, form="a name of your own for the cluster"),
    )
    if found.refs and found.after:
        fields.problem(
            "after", "stands beside refs", "an environment is fed by refs or by another environment, not by both"
        )
    if found.soak and (found.after is None or found.promotion == "request"):
        fields.problem("for", "waits for nothing", "it belongs beside after, with promotion: automatic")
    fields.done()
    return found


def _soak(fields: Fields) -> int:
    text = fields.optional("for", form=_LENGTH_FORM)
    try:
        return read_length(text) if text else 0
    except ValueError as error:
        fields.problem("for", str(error), f"give {_LENGTH_FORM}")
        return 0


def _freeze(fields: Fields) -> catalog.Freeze | None:
    cron, lasts = fields.text("cron", form="five cron fields"), fields.text("lasts", form="a length such as 64h")
    timezone = fields.optional("timezone", form="a name such as Europe/Vienna") or "UTC"
    fields.done()
    checks: tuple[tuple[str, Callable[[str], object], str, str], ...] = (
        ("cron", read_cron, cron, 'five cron fields such as "0 16 * * FRI"'),
        ("lasts", read_length, lasts, "a length such as 64h"),
        ("timezone", read_timezone, timezone, "a name such as Europe/Vienna"),
    )
    whole = bool(cron and lasts)
    for name, check, value, form in checks:
        try:
            check(value)
        except ValueError as error:
            whole = False
            if value:  # a missing one was reported when it was read
                fields.problem(name, str(error), f"give {form}")
    return catalog.Freeze(cron=cron, lasts=read_length(lasts), timezone=timezone) if whole else None


def _check_environments(environments: tuple[catalog.Environment, ...], problems: list[Problem]) -> None:
    by_name = {each.name: each for each in environments}
    _unique([each.name for each in environments], "environments", problems)
    for index, environment in enumerate(environments):
        path = ("environments", index, "after")
        seen, at = set[str](), environment
        while at.after and at.name not in seen:
            seen.add(at.name)
            if at.after not in by_name:
                if at is environment:
                    fix = f"environments are: {', '.join(by_name)}"
                    problems.append(Problem(path=path, message=f"{at.after!r} is not an environment", fix=fix))
                break
            at = by_name[at.after]
        else:
            if at.after:
                problems.append(
                    Problem(path=path, message="leads in a circle", fix="one environment must be fed by refs")
                )


def _check_notify(
    notify: tuple[Channel, ...], environments: tuple[catalog.Environment, ...], problems: list[Problem]
) -> None:
    known = [each.name for each in environments]
    for index, channel in enumerate(notify):
        for place, name in enumerate(channel.environments):
            if name not in known:
                path = ("notify", index, "environments", place)
                fix = f"environments are: {', '.join(known)}"
                problems.append(Problem(path=path, message=f"{name!r} is not an environment", fix=fix))


def _unique(names: list[str], field: str, problems: list[Problem]) -> None:
    for index, name in enumerate(names):
        if name and name in names[:index]:
            problems.append(
                Problem(path=(field, index, "name"), message=f"{name!r} stands twice", fix="give each its own")
            )
