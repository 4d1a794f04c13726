"""`downwind bootstrap deploy`: one package to all functions, and back by itself when it is not well."""

from collections.abc import Callable, Sequence
from pathlib import Path

import click

from downwind.bootstrap.deploy import Deploying, requests
from downwind.bootstrap.proof import doors
from downwind.bootstrap.proof.follow import GROUP as ROLLOUT
from downwind.bootstrap.proof.result import UNASKED, UNSOUND, Result, exit_code
from downwind.cli.bootstrap_place import Place, config_option
from downwind.cli.bootstrap_site import cloud_session, cloud_site
from downwind.cli.bootstrap_verify import Proof
from downwind.cli.context import Session, pass_session
from downwind.errors import Refused


@click.command("deploy")
@config_option
@click.option(
    "--package",
    "package_file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The zip of scripts/package. [default: the newest of them]",
)
@click.option("--dry-run", is_flag=True, help="Say what would be done.")
@click.option("--smoke", is_flag=True, help="Then prove it, by `bootstrap verify`; not sound: all go back.")
@click.option("--back", is_flag=True, help="Instead: all that have the newest package to the revision before.")
@click.option(
    "--parallel", type=click.IntRange(1, 8), default=3, show_default=True, help="Functions at once, after the first."
)
@pass_session
@click.pass_context
def deploy_command(
    context: click.Context,
    session: Session,
    config_file: Path,
    package_file: Path | None,
    parallel: int,
    *,
    dry_run: bool,
    smoke: bool,
    back: bool,
) -> None:
    """Deploy one package to all functions. It is uploaded once and named by its digest. Each new revision is checked; as soon as
    one is not well, all that were switched go back to the revision before, in seconds. A run that was killed is run again.

    Exit code: 0 deployed, 1 refused, or not well and taken back; 3 Google did not answer, or the proof could not ask everything.

    \b
    Examples:
      downwind bootstrap deploy --package dist/0f1e….zip --dry-run
      downwind bootstrap deploy --smoke
      downwind bootstrap deploy --back
    """
    place = Place(config_file, package_file, offline=back)
    writer = place.writer(gcloud=False)
    deploying = Deploying(place.plan, writer, click.echo, parallel=parallel)
    if back:
        click.echo(deploying.back())
        return
    click.echo(f"package sha256:{place.plan.values.package}")
    if dry_run:
        for name, request in requests(deploying):
            text = (
                f"{request.method} {request.url(f'https://{request.api}.googleapis.com')}"
                if request
                else "has it already"
            )
            click.echo(f"{name}: {text}")
        return
    codes: list[int] = []
    done = deploying.run(_proof(place, session, codes) if smoke else lambda: None)
    click.echo(f"{len(done)} deployed, {len(deploying.functions) - len(done)} had it already")
    context.exit(UNASKED if UNASKED in codes else 0)


def _proof(place: Place, session: Session, codes: list[int]) -> Callable[[], str | None]:
    """Of what this machine can see: the canary's rollout, and what must not work."""
    if place.config["verify"] is None:
        raise Refused(
            "there is no canary to prove it with", fix="verify: {application: …, environment: …} in the configuration"
        )

    def prove() -> str | None:
        here = cloud_session(place, session, place.cloud)
        proof = Proof(here, cloud_site(place, here, None, None), place, (), None, say=click.echo)
        results = proof.run((ROLLOUT, doors.GROUP))
        code, problem = verdict(results)
        codes.append(code)
        for each in results:
            if each.state != "ok":
                click.echo(f"{each.state}: {each.what}: {each.why}")
        return problem

    return prove


def verdict(results: Sequence[Result]) -> tuple[int, str | None]:
    """The exit code, and why to go back. A build sees neither the clusters nor a Gate without public address, so only the rollout
    has to be seen; but whatever is seen to be wrong is wrong."""
    code = exit_code([each for each in results if each.group == ROLLOUT or each.state == "failed"])
    failed = [each.what for each in results if each.state == "failed"]
    return code, f"the proof failed: {', '.join(failed)}" if code == UNSOUND else None
