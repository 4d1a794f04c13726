"""`downwind bootstrap apply` and `destroy`: what changes the cloud."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from downwind.bootstrap.apply import Applying, Outcome, check_read, steps_now
from downwind.bootstrap.audit import findings
from downwind.bootstrap.destroy import steps_back, take_back
from downwind.bootstrap.plan import UNREAD, Plan, Step, document, same
from downwind.cli.bootstrap_place import Place, config_option, gate_option, lines, package_option, summary
from downwind.errors import Refused, TransientError

_yes = click.option("--yes", is_flag=True, help="Do not ask.")
_no_gcloud = click.option("--no-gcloud", is_flag=True, help="Send the requests ourselves, where gcloud would write.")
_parallel = click.option("--parallel", type=click.IntRange(1, 8), default=2, show_default=True, help="Steps at once.")


@click.command("apply")
@click.argument("saved", required=False, type=click.Path(dir_okay=False, path_type=Path), metavar="[PLAN]")
@config_option
@package_option
@_yes
@_no_gcloud
@_parallel
@gate_option
@click.option(
    "--replace", multiple=True, metavar="RESOURCE", help="What holds data and may be thrown away and made anew."
)
def apply_command(
    saved: Path | None,
    config_file: Path,
    package_file: Path | None,
    parallel: int,
    gate: str | None,
    replace: Sequence[str],
    *,
    yes: bool,
    no_gcloud: bool,
) -> None:
    """Do what the plan says. PLAN is a file of `plan --out`: it is refused when the world has moved since.

    It can be stopped anywhere and run again: each step looks first, and is done when what it made can be read.
    Exit code: 0 all is as wanted, 1 refused, or something failed that people have to put right; 3 all that failed may go well
    another time: run it again.

    \b
    Examples:
      downwind bootstrap apply
      downwind bootstrap plan --out plan.json; downwind bootstrap apply plan.json --yes
    """
    place = Place(config_file, package_file, gate=gate)
    then = None if saved is None else _saved(saved)
    plan = place.plan
    lacking = plan.values.lacking()
    if lacking:
        raise Refused("; ".join(what for what, _ in lacking), fix="; ".join(fix for _, fix in lacking))
    steps = steps_now(plan, place.cloud)
    check_sound(plan, steps)
    if then is not None and not any(each["action"] == UNREAD for each in then["steps"]):
        check_read(steps, "nothing was done: the plan knew them")
    if then is not None and not same(then, document(steps, place.cloud.endpoints)):
        raise Refused(
            "the world has moved since the plan was made", fix=f"make it anew: downwind bootstrap plan --out {saved}"
        )
    in_the_way = [each.resource.key for each in steps if each.action == "foreign" and each.differs]
    due = [each for each in steps if each.due]
    if due and saved is None and not yes:
        for line in lines(due, place.cloud.endpoints):
            click.echo(line, err=True)
        click.confirm(f"{summary(steps)}. Do it?", abort=True, err=True)
    writer = place.writer(gcloud=not no_gcloud)
    applying = Applying(plan, writer, click.echo, parallel=parallel, replace=replace)
    outcome = applying.run(steps)
    _told(outcome, applying)
    if in_the_way:
        raise Refused(
            f"not of this installation, and not as wanted: {', '.join(in_the_way)}",
            fix="look at them in the plan; write them under adopt:, or name them otherwise",
        )
    check_read(steps, "the rest is done; for these make a plan once they can be read")


def check_sound(plan: Plan, steps: Sequence[Step]) -> None:
    """Refused: what no plan may hold, in what it wants or in what would be written."""
    wrong = findings(plan.values, plan.resources, steps)
    if wrong:
        raise Refused(f"this plan may not be applied: {'; '.join(wrong)}", fix="put infra/wanted right")


def _saved(file: Path) -> Any:
    """The steps of a file of `plan --out`."""
    try:
        return {"steps": json.loads(file.read_bytes())["steps"]}
    except (OSError, ValueError, LookupError, TypeError, RecursionError) as error:
        reason = error.strerror if isinstance(error, OSError) else type(error).__name__
        raise Refused(f"{file} is no plan: {reason}", fix="downwind bootstrap plan --out FILE") from error


def _told(outcome: Outcome, applying: Applying) -> None:
    """What is done, what is not, and how to go on."""
    waited = f"{outcome.waited:.1f} s of waiting, added up over the steps"
    click.echo(f"{len(outcome.done)} done in {applying.elapsed:.1f} s, with {waited}")
    if not outcome.failed:
        return
    if outcome.left:
        click.echo(f"not begun: {', '.join(outcome.left)}", err=True)
    text = "; ".join(f"{key}: {why}" for key, why in outcome.failed.items())
    raise (
        TransientError(text)
        if outcome.passing
        else Refused(text, fix="put that right, then run apply again: it goes on from here")
    )


STILL_THERE = "run destroy again once they can be read, or leave them"


@click.command("destroy")
@config_option
@package_option
@_yes
@_no_gcloud
@gate_option
@click.option(
    "--with-data", is_flag=True, help="What holds data too: ledger, catalog, bundles, images, secrets, the cluster."
)
def destroy_command(
    config_file: Path, package_file: Path | None, gate: str | None, *, yes: bool, no_gcloud: bool, with_data: bool
) -> None:
    """Take away what this installation made. What holds data stays unless it is told to go, and what is not ours stays.

    \b
    Examples:
      downwind bootstrap destroy
      downwind bootstrap destroy --with-data
    """
    # No package is needed: what was uploaded goes with its bucket, and what functions run is not compared.
    place = Place(config_file, package_file, offline=True, gate=gate)
    steps = steps_back(place.plan, place.cloud, with_data=with_data)
    for line in lines(steps, place.cloud.endpoints):
        click.echo(line)
    due: list[Step] = [each for each in steps if each.due]
    click.echo(summary(steps))
    if not due:
        check_read(steps, STILL_THERE)
        return
    if not yes:
        project = place.plan.values.project
        typed = click.prompt(f"This cannot be undone. Type the project's id ({project}) to go on", err=True)
        if typed != project:
            raise Refused("nothing was taken away: that is not the project's id")
    left = take_back(place.plan, place.writer(gcloud=not no_gcloud), due, click.echo)
    click.echo(f"{len(due) - len(left)} gone; what stays is listed above")
    if left:
        raise TransientError(f"still in use: {', '.join(left)}; run destroy again in an hour or two")
    check_read(steps, STILL_THERE)
