"""What an event writes down before anything else happens: facts and hints. A fact says what happened, not who said so."""

from collections.abc import Iterable
from dataclasses import dataclass, field

from downwind.errors import Refused
from downwind.model.catalog import Registered
from downwind.model.event import Build, Event, Image, ImageReference, Order, Push, Request
from downwind.model.patterns import commit_of, repository_key
from downwind.reconcile import names
from downwind.reconcile.facts import Hints, NewFact
from downwind.reconcile.releases import build_prefix, image_fact_name


@dataclass(frozen=True, slots=True, kw_only=True)
class Recording:
    """What one event means to one application; or `ignored` says why nothing."""

    facts: tuple[NewFact, ...] = ()
    hints: Hints = field(default_factory=Hints)
    ignored: str | None = None


def pointers(prefix: str, events: Iterable[Event]) -> tuple[NewFact, ...]:
    """From what an event is about to the event under `prefix`: who said it stands in no fact, and `why` has to find it."""
    about: dict[str, None] = {}
    for event in events:
        match event:
            case Push(after=str(commit)) | Build(commit=str(commit)) | Request(commit=str(commit)):
                about[names.commit_events(commit)] = None
            case Image(image=ImageReference(digest=str(digest))):
                about[names.image_events(digest)] = None
    return tuple(NewFact(name=place + prefix.split("/")[1], body={"kind": "pointer"}) for place in about)


def record_push(event: Push, registered: Registered) -> Recording:
    application = registered.application
    if not application.fed_by(event.ref):
        return Recording(ignored=f"no environment of {application.name} is fed by {event.ref}")
    fact = NewFact(
        name=names.push(application.name, event.ref, event.before, event.after),
        body={
            "kind": "push",
            "application": application.name,
            "repository": repository_key(application.repository.address),
            "ref": event.ref,
            "before": event.before,
            "after": event.after,
        },
    )
    commits = frozenset({event.after}) if event.after else frozenset()
    return Recording(facts=(fact,), hints=Hints(refs=frozenset({event.ref}), commits=commits))


def record_build(event: Build, registered: Registered) -> Recording:
    """The first SUCCESS of a commit is the winner, whoever else succeeds later."""
    application = registered.application
    if event.commit is None:
        return Recording(ignored="the build names no commit: nothing can be joined to it")
    prefix = build_prefix(registered, event.commit)
    if prefix is None:
        return Recording(ignored=f"{application.name} takes its images by tag, not from builds")
    body = {
        "kind": "build-event",
        "build": event.build,
        "status": event.status,
        "commit": event.commit,
        "ref": event.ref,
        "log": event.log_url,
        "images": [{"name": image.name, "digest": image.digest} for image in event.images if image.digest],
    }
    facts = [
        NewFact(name=f"{prefix}event/{names.encode(event.build)}/{names.encode(event.status)}", body=body),
        NewFact(
            name=f"{names.build_pointer(event.build)}{application.name}/{event.commit}",
            body={"kind": "pointer", "application": application.name, "commit": event.commit},
        ),
    ]
    if event.status == "SUCCESS":
        facts.append(NewFact(name=prefix + "winner", body={**body, "kind": "winner"}))
        facts += [_pointer(application.name, event.commit, image.digest) for image in event.images if image.digest]
    refs = frozenset({event.ref}) if event.ref and application.fed_by(event.ref) else frozenset()
    return Recording(facts=tuple(facts), hints=Hints(refs=refs, commits=frozenset({event.commit})))


def record_image(
    event: Image, registered: Registered, pointers: tuple[tuple[str, str], ...], labelled: str | None
) -> Recording:
    """`pointers`: (application, commit) that a build has named for the digest already. `labelled`: the commit of the image's
    own label, where somebody had to look."""
    application, image = registered.application, event.image
    if event.action != "INSERT":
        return Recording(ignored=f"{event.action} of an image: nothing is deployed or undeployed by it")
    if image.digest is None:
        return Recording(ignored="the message names no digest, and the registry has none for the tag")
    seen = NewFact(
        name=f"{names.image(image.digest)}seen",
        body={"kind": "seen", "name": image.name, "digest": image.digest},
    )
    commits = frozenset(commit for name, commit in pointers if name == application.name)
    rule = next(rule for rule in application.images if rule.name == image.name)
    if application.build is None:
        commit = commit_of(rule.tag, image.tag) if rule.tag and image.tag else None
        commit = commit or labelled
        if commit is not None:
            return Recording(
                facts=(
                    seen,
                    image_fact(registered, commit, image, "tag" if commit != labelled else "label"),
                    _pointer(application.name, commit, image.digest),
                ),
                hints=Hints(commits=commits | {commit}),
            )
        if rule.tag is not None and "{short_commit}" in rule.tag:
            # Seven digits do not name a commit, but a release that waits can ask for its own tag.
            return Recording(facts=(seen,), hints=Hints(commits=commits))
    if commits:
        return Recording(facts=(seen,), hints=Hints(commits=commits))
    return Recording(
        facts=(seen,),
        ignored="no commit known for this image"
        + (" yet: its build names it when it ends" if application.build else ""),
    )


def image_fact(registered: Registered, commit: str, image: ImageReference, by: str) -> NewFact:
    return NewFact(
        name=image_fact_name(registered.application, commit, image.name),
        body={
            "kind": "image",
            "application": registered.application.name,
            "commit": commit,
            "name": image.name,
            "digest": image.digest,
            "by": by,
        },
    )


def _pointer(application: str, commit: str, digest: str) -> NewFact:
    return NewFact(
        name=f"{names.image(digest)}release/{application}/{commit}",
        body={"kind": "pointer", "application": application, "commit": commit},
    )


def record_request(event: Request, registered: Registered) -> Recording:
    """Raises Refused when this environment takes no orders from the topic, or the order cannot be one. Whether an operator may
    order has been asked before."""
    application = registered.application
    environment = application.environment(event.environment)
    known = ", ".join(each.name for each in application.environments)
    if environment is None:
        raise Refused(
            f"{application.name} has no environment {event.environment!r}",
            field="environment",
            fix=f"use one of: {known}",
        )
    if not isinstance(event, Order) and environment.requests != "topic":
        raise Refused(
            f"{application.name}/{environment.name} takes no orders from the topic",
            field="environment",
            fix="set requests: topic in the catalog",
        )
    if event.verb == "promote" and environment.after is None:
        raise Refused(f"{environment.name} is fed by refs: nothing is promoted into it", field="verb", fix="use deploy")
    if event.build is not None and application.build is None:
        raise Refused(f"{application.name} has no builds", field="build", fix="name images by digest instead")
    unknown = sorted(set(event.images) - {rule.name for rule in application.images})
    if unknown:
        raise Refused(
            f"{unknown[0]} is not an image of {application.name}", field="images", fix="use the catalog's names"
        )
    prefix = names.request(application.name, environment.name, event.id)
    about = {}
    if isinstance(event, Order):
        about = {"target": event.target, "execution": event.execution, "stage": event.stage}
    fact = NewFact(
        name=prefix + "order",
        body={
            "kind": "order",
            "id": event.id,
            "by": "operator" if isinstance(event, Order) else "request",
            "verb": event.verb,
            "application": application.name,
            "environment": environment.name,
            "commit": event.commit,
            "build": event.build,
            "images": dict(event.images),
            "who": event.who,
            "why": event.why,
            **about,
        },
    )
    commits = frozenset({event.commit}) if event.commit else frozenset()
    return Recording(facts=(fact,), hints=Hints(commits=commits, requests=frozenset({(environment.name, event.id)})))
