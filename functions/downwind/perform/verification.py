"""Are the images of a release what its catalog asks for? The registry and Cloud Build are asked, whatever messages said."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

from downwind.errors import DownwindError, Refused, TransientError
from downwind.events.cloud_build import read_build
from downwind.model.catalog import Application, Registered
from downwind.model.event import Build
from downwind.model.patterns import repository_key
from downwind.model.policy import SigningKey
from downwind.perform.world import World
from downwind.ports import Trigger
from downwind.reconcile.steps import RenderBundle, Step, Wait

_FIX = "order a deploy of a release that was built as `verify` in the catalog says, or change that"


def check(world: World, registered: Registered, step: RenderBundle) -> None:
    """Refused, with `policy` as its field, for what is known to be wrong: an image that its registry does not have, a platform
    that it lacks, a digest that no build of this commit by the catalog's trigger lists. Whoever is silent makes it wait."""
    rules = registered.application.verify
    if rules is None:
        return
    calls = [partial(_in_registry, world, rules.platforms, name, digest) for name, digest in step.images.items()]
    wrong = [reason for reason in world.side_by_side(calls) if reason]
    if rules.provenance == "build":
        wrong += _not_built(world, registered, step)
    elif rules.provenance == "attestation":
        wrong += _not_attested(world, registered.application, step)
    if wrong:
        raise Refused("; ".join(wrong), field="policy", fix=_FIX)


def _in_registry(world: World, platforms: Sequence[str], name: str, digest: str) -> str | None:
    image = f"image {name}@{digest}"
    if not world.registry.exists(name, digest):
        return f"{image} is not in its registry (verify)"
    missing = sorted(set(platforms) - set(world.registry.platforms(name, digest))) if platforms else []
    return f"{image} is not there for {', '.join(missing)} (verify.platforms)" if missing else None


def _not_built(world: World, registered: Registered, step: RenderBundle) -> list[str]:
    """Cloud Build's own records of that trigger at that commit: SUCCESS, of this repository, by an account that may build, with
    these very digests."""
    application = registered.application
    rule, rules = application.build, application.verify
    if rule is None or registered.trigger_id is None or rules is None:
        return ["the catalog names no build that could vouch for the images (verify.provenance)"]
    trigger = Trigger(
        id=registered.trigger_id, name=rule.trigger.split("/")[-1], project=rule.project, location=rule.location
    )
    found: dict[tuple[str, str], str] = {}
    why: list[str] = []
    for document in world.builds.find(trigger, step.commit):
        build = read_build(document)
        doubt = _doubt(application, build, document, trigger, step.commit, rules.builders)
        if doubt:
            why.append(doubt)
            continue
        found.update({(image.name, image.digest): build.build for image in build.images if image.digest})
    missing = [f"{name}@{digest}" for name, digest in step.images.items() if (name, digest) not in found]
    detail = f": {'; '.join(why[:3])}" if why else ""
    short = step.commit[:7]
    return [f"no build of {short} by {rule.trigger} vouches for {each}{detail} (verify.provenance)" for each in missing]


def _doubt(
    application: Application,
    build: Build,
    document: Mapping[str, Any],
    trigger: Trigger,
    commit: str,
    builders: Sequence[str],
) -> str | None:
    if build.status != "SUCCESS":
        return f"build {build.build} is {build.status}"
    if (build.trigger, build.commit) != (trigger.id, commit):
        return f"build {build.build} is of {build.commit} by trigger {build.trigger}"
    if not _own(application, build.repository):
        return f"build {build.build} names {build.repository or 'no repository'}"
    account = str(document.get("serviceAccount") or "").rpartition("/")[2]
    if builders and account not in builders:
        return f"build {build.build} ran as {account or 'an account that it does not name'}"
    return None


def _not_attested(world: World, application: Application, step: RenderBundle) -> list[str]:
    rules = application.verify
    builders, keys = (rules.builders, rules.keys) if rules else ((), ())
    wrong = []
    for name, digest in step.images.items():
        statements = world.attestations.provenance(name, digest, keys)
        if not statements:
            # It is written after the image: what has none yet may have one on the next tick.
            raise TransientError(_nobody_yet(name, digest))
        good = any(
            (not builders or each.builder in builders)
            and (not keys or each.signed_by is not None)
            and any(_own(application, repository) and commit == step.commit for repository, commit in each.sources)
            for each in statements
        )
        if not good:
            said = "; ".join(
                f"{each.builder} of {', '.join(f'{source}@{commit}' for source, commit in each.sources) or 'nothing'}"
                + (", which none of verify.keys has signed" if keys and each.signed_by is None else "")
                for each in statements[:3]
            )
            wrong.append(f"{name}@{digest} was built by {said} (verify.provenance)")
    return wrong


def waits(world: World, application: Application, steps: Sequence[Step]) -> list[Wait]:
    """For people: what each release among `steps` waits for before it is rendered, since no fact says so. Attestations are
    looked for anew; whoever keeps them and is silent is waited for too."""
    if application.verify is None or application.verify.provenance != "attestation":
        return []
    found = {}
    for step in steps:
        if isinstance(step, RenderBundle) and step.commit not in found:
            found[step.commit] = _awaited(world, step, application.verify.keys)
    return [Wait(what=what, commit=commit) for commit, what in found.items() if what is not None]


def _awaited(world: World, step: RenderBundle, keys: Sequence[SigningKey]) -> str | None:
    for name, digest in step.images.items():
        try:
            if not world.attestations.provenance(name, digest, keys):
                return f"an attestation: {_nobody_yet(name, digest)} (verify.provenance)"
        except DownwindError as error:
            return f"attestations, which could not be asked for from here: {error}"
    return None


def _nobody_yet(name: str, digest: str) -> str:
    return f"nobody has attested yet how {name}@{digest} was built"


def _own(application: Application, repository: str | None) -> bool:
    """Whole names, compared as keys: no part of one counts."""
    if repository is None:
        return False
    own = (application.repository.address, *application.repository.also)
    return repository_key(repository) in {repository_key(each) for each in own}
