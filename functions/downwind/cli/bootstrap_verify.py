"""`downwind bootstrap verify`: does this installation work from end to end, and does what must not work fail?"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from downwind.bootstrap.kubernetes import token_of
from downwind.bootstrap.proof import clusters, doors, drift, facts, gate
from downwind.bootstrap.proof.change import make
from downwind.bootstrap.proof.follow import GROUP as ROLLOUT
from downwind.bootstrap.proof.follow import Follow
from downwind.bootstrap.proof.result import Result, exit_code
from downwind.bootstrap.proof.site import Canary, Site
from downwind.cli.bootstrap_place import CONFIG, Place, package_option
from downwind.cli.bootstrap_site import cloud_session, cloud_site, local_site
from downwind.cli.context import Session, pass_session, tell_unreadable
from downwind.cli.fitness import fitness
from downwind.cli.output import output_option, printable, show
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError
from downwind.model.catalog import Registered
from downwind.perform import applications
from downwind.perform.verify import verify
from downwind.shipped import admission_policy

GROUPS = (ROLLOUT, doors.GROUP, "clusters", "spinnaker", drift.GROUP)
_SHOWN = {
    "ok": "ok          ",
    "failed": "FAILED      ",
    "unreachable": "not checked ",
    "not applicable": "not checked ",
}


@click.command("verify")
@click.option(
    "--config",
    "config_file",
    type=click.Path(dir_okay=False, path_type=Path),
    default=Path(CONFIG),
    show_default=True,
    help="What the installation decides. Not read with --local.",
)
@package_option
@click.option("--local", is_flag=True, help="Verify the local world of this folder instead.")
@click.option("--application", help="The canary, instead of the configuration's verify.application.")
@click.option("--environment", help="Its environment, instead of verify.environment.")
@click.option("--only", multiple=True, type=click.Choice(GROUPS), help="A part alone; repeat it for several.")
@click.option("--stranger", metavar="ACCOUNT", help="A service account to try doors with, which you may impersonate.")
@click.option(
    "--context", "contexts", multiple=True, metavar="KUBECONTEXT", help="A cluster of the kubeconfig; repeat it."
)
@click.option("--timeout", type=click.IntRange(1), metavar="SECONDS", help="For each stage, instead of its own.")
@output_option
@pass_session
@click.pass_context
def verify_command(
    context: click.Context,
    session: Session,
    config_file: Path,
    package_file: Path | None,
    application: str | None,
    environment: str | None,
    only: Sequence[str],
    stranger: str | None,
    contexts: Sequence[str],
    timeout: int | None,
    output: str,
    *,
    local: bool,
) -> None:
    """Prove an installation: a new commit of the canary goes through every topic to its rollout and CloudEvents; calls that must
    be refused are refused; clusters, Spinnaker and the cloud are as they should be.

    The rollout changes the canary alone, by a commit of yours. Calls that must fail carry what would do nothing if they did not.
    "not checked" is never "ok": the line says why.

    Exit code: 0 sound, 1 not sound, 3 something that should be checked could not be asked.

    \b
    Examples:
      downwind bootstrap verify
      downwind bootstrap verify --only rollout --only refused
      downwind bootstrap verify --local --application shop --environment staging -o json
    """
    if bool(application) != bool(environment):
        raise Refused("a canary is an application and an environment", fix="give --application and --environment")
    canary = Canary(application=application, environment=environment) if application and environment else None
    if local:
        place, site = None, local_site(session, canary)
    else:
        place = Place(
            config_file, package_file, offline=True
        )  # what runs is compared only with a package that is there
        if {doors.GROUP, drift.GROUP} & set(only or GROUPS):
            check_signed_in(place)
        session = cloud_session(place, session, place.cloud)
        site = cloud_site(place, session, canary, stranger)
    proof = Proof(session, site, place, contexts, timeout, say=lambda line: click.echo(printable(line), err=True))
    results = proof.run(only or GROUPS)
    code = exit_code(results)
    document = {
        "sound": code == 0,
        "checks": [
            {"group": each.group, "what": each.what, "state": each.state, "why": each.why, "fix": each.fix}
            for each in results
        ],
    }
    show(document, output, lambda: _table(results, code))
    context.exit(code)


def check_signed_in(place: Place) -> None:
    """Said once, and before anything is pushed: without it every question to Google ends alike."""
    try:
        token_of(place.cloud.session)
    except Misconfigured as error:
        raise TransientError(f"nothing was checked: {error}") from error


def _table(results: Sequence[Result], code: int) -> Iterator[str]:
    for each in results:
        yield f"{_SHOWN[each.state]}{each.what}: {each.why}"
        if each.state != "ok" and each.fix:
            yield f"            to do: {each.fix}"
    counts = {state: sum(1 for each in results if each.state == state) for state in _SHOWN}
    text = (
        f"{counts['ok']} ok, {counts['failed']} FAILED, {counts['unreachable'] + counts['not applicable']} not checked"
    )
    yield f"{ {0: 'sound', 1: 'NOT SOUND', 3: 'could not ask everything'}[code] }: {text}"


class Proof:
    """One run. `say` gets a line as soon as something is known."""

    def __init__(
        self,
        session: Session,
        site: Site,
        place: Place | None,
        contexts: Sequence[str],
        timeout: int | None,
        *,
        say: Callable[[str], None],
    ) -> None:
        self._session = session
        self._site = site
        self._place = place
        self._contexts = contexts
        self._timeout = timeout
        self._say = say
        self._began = time.monotonic()
        self._fact: str | None = None

    def run(self, groups: Sequence[str]) -> list[Result]:
        parts: dict[str, Callable[[], Iterator[Result]]] = {
            ROLLOUT: self._rollout,
            doors.GROUP: self._refused,
            "clusters": self._of_clusters,
            "spinnaker": self._of_spinnaker,
            drift.GROUP: self._drift,
        }
        found: list[Result] = []
        for group in (each for each in GROUPS if each in groups):
            try:
                for result in parts[group]():
                    self._tell(f"{_SHOWN[result.state].strip()} {result.what}")
                    found.append(result)
            except DownwindError as error:  # what is known already is worth telling all the same
                found.append(Result(group=group, what=f"the rest of {group}", state="unreachable", why=str(error)))
        return found

    def _tell(self, line: str) -> None:
        self._say(f"{time.monotonic() - self._began:6.1f}s {line}")

    def _canary(self) -> Registered | None:
        """None where no canary is named. Raises what is wrong with it."""
        if self._site.canary is None:
            return None
        name = self._site.canary.application
        found, unreadable = applications.readable(self._site.world.catalog, [name])
        tell_unreadable(unreadable)
        if not found:
            raise Refused(
                f"the catalog has no application {name!r}", fix="downwind app apply, as docs/how-to/install.md says"
            )
        return found[0]

    def _rollout(self) -> Iterator[Result]:
        what = "a push rolls out"
        canary = self._site.canary
        if canary is None:
            why = "the configuration names no canary"
            fix = "verify: {application: …, environment: …} in downwind.config.yaml"
            yield Result(group=ROLLOUT, what=what, state="not applicable", why=why, fix=fix)
            return
        try:
            registered = self._canary()
            assert registered is not None
            follow = Follow(
                self._site,
                registered,
                canary.environment,
                self._session.now,
                self._tell,
                limit=self._timeout,
                sleep=self._session.sleep,
            )
            token = self._site.push_token() if self._site.push_token else None
            change = make(registered, canary, f"{self._session.now():%Y-%m-%dT%H:%M:%SZ} {follow.delivery}", token)
        except Refused as error:
            yield Result(group=ROLLOUT, what=what, state="failed", why=error.reason, fix=error.fix)
            return
        except DownwindError as error:
            yield Result(group=ROLLOUT, what=what, state="unreachable", why=str(error))
            return
        self._tell(f"pushed {change.after[:10]} to {change.ref} of {change.address}")
        sent = follow.send(change)
        yield sent
        if sent.state == "ok":
            for result in follow.run(change):
                if result.state == "ok" and self._fact is None:
                    self._fact = f"{follow.event}raw"
                yield result

    def _refused(self) -> Iterator[Result]:
        for check in (*doors.checks(self._site), *facts.checks(self._site, self._fact)):
            yield check()
        canary = self._site.canary
        try:
            registered = self._canary()
        except DownwindError:
            registered = None  # the rollout has said why
        yield clusters.lower_sequence(self._clusters, registered, canary.environment if canary else None)
        namespace = self._place.config["spinnaker"]["namespace"] if self._place else "spinnaker"
        yield gate.check(self._site.gate, local=self._site.local, namespace=namespace)

    def _clusters(self) -> list[Any]:
        return [self._session.make_cluster(self._session.settings, each) for each in self._contexts or (None,)]

    def _found(self) -> Sequence[Registered]:
        catalog = self._site.world.catalog
        found, unreadable = applications.readable(catalog, applications.all_names(catalog))
        tell_unreadable(unreadable)
        return found

    def _of_clusters(self) -> Iterator[Result]:
        what = "policies, bindings and saved pipelines"
        yield from clusters.told(
            "clusters",
            what,
            lambda: verify(self._site.world, self._clusters(), self._found(), admission_policy()),
        )

    def _of_spinnaker(self) -> Iterator[Result]:
        yield from clusters.told("spinnaker", "Spinnaker is fit", lambda: fitness(self._session, self._found()))

    def _drift(self) -> Iterator[Result]:
        if self._place is None:
            why = "a local world has no infra/"
            yield Result(group=drift.GROUP, what="the cloud is as infra/ says", state="not applicable", why=why)
        else:
            yield from drift.check(self._place.plan, self._place.cloud, packaged=self._place.packaged)
