"""`downwind local`: the whole world on this machine."""

import contextlib
import json
import os
import shlex
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click

from downwind.cli.stop_signals import stopped_by_signals
from downwind.errors import Refused
from downwind.model.patterns import OPERATOR

if TYPE_CHECKING:
    from downwind.local.world_file import LocalWorld

FOLDER = click.option(
    "--folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(".downwind"),
    show_default=True,
    help="Where the world keeps its state.",
)


@click.group("local", short_help="The whole world on this machine.")
def local_group() -> None:
    """The whole world on this machine, on loopback: the functions, Pub/Sub, Cloud Storage, git, Cloud Build, a registry,
    Spinnaker's Gate with a small cluster.

    \b
    Examples:
      downwind local up                 start it, and stop it with Ctrl-C
      downwind local add examples/shop  bring an application into it, from another terminal
      eval "$(downwind local env)"      point this shell's clients to it
      downwind local demo               play the main job
    """


def _world(folder: Path) -> "LocalWorld":
    """The world of that folder; where it has none, the nearest `.downwind` from here upwards."""
    from downwind.local.world_file import FILE, find_world, open_world

    return open_world(folder) if (folder / FILE).exists() else find_world(Path.cwd())


@local_group.command("up")
@FOLDER
def up(folder: Path) -> None:
    """Start the world, and keep it running until Ctrl-C.

    \b
    Example:
      downwind local up
    """
    from downwind.local.supervisor import Supervisor
    from downwind.local.world_file import PARTS, open_world

    world = open_world(folder)
    began = time.monotonic()
    with stopped_by_signals() as stopping:
        with Supervisor(world, click.echo):
            for part in PARTS:
                click.echo(f"{part:<10} {world.url(part)}")
            seconds = time.monotonic() - began
            click.echo(f"the world runs ({seconds:.1f} s). Next, in another terminal: downwind local add DIRECTORY")
            click.echo("Ctrl-C stops it.")
            stopping.wait()
            click.echo("stopping …")
        click.echo(f"stopped; its state is in {world.folder}")


@local_group.command("add")
@FOLDER
@click.argument("directory", type=click.Path(path_type=Path, exists=True, file_okay=False))
def add_command(folder: Path, directory: Path) -> None:
    """Bring the application in DIRECTORY (with a downwind.yaml) into the running world: repository, trigger, pipelines, catalog.

    \b
    Example:
      downwind local add examples/shop
    """
    from downwind.local.add import add
    from downwind.local.world_file import running

    world = _world(folder)
    if running(world) is None:
        raise Refused("the world is not running", fix="start it in another terminal: downwind local up")
    added = add(world, directory, click.echo)
    click.echo("next, in the application's git repository:")
    click.echo(f"  git push {added.remote} HEAD:main")
    click.echo(f"  downwind status {added.application.name}")


@local_group.command("env")
@FOLDER
def env(folder: Path) -> None:
    """Print the variables for a shell, as `gcloud beta emulators pubsub env-init` does.

    \b
    Example:
      eval "$(downwind local env)"
    """
    from downwind.local.world_file import running

    world = _world(folder)
    if running(world) is None:
        click.echo(f"the world of {world.folder} is not running: downwind local up", err=True)
    for name, value in world.environment().items():
        click.echo(f"export {name}={shlex.quote(value)}")


@local_group.command("status")
@FOLDER
@click.option("-o", "--output", type=click.Choice(["table", "json", "yaml"]), default="table", show_default=True)
def status(folder: Path, output: str) -> None:
    """Which parts run, and where.

    \b
    Example:
      downwind local status -o json
    """
    from downwind.local.calls import listens
    from downwind.local.world_file import PARTS, running

    world = _world(folder)
    parts = [
        {"part": part, "running": listens(world.ports[part]), "url": world.url(part), "log": str(world.log(part))}
        for part in PARTS
    ]
    body = {"supervisor": running(world), "parts": parts}
    if output == "json":
        click.echo(json.dumps(body, indent=2))
    elif output == "yaml":
        import yaml

        click.echo(yaml.safe_dump(body, sort_keys=False), nl=False)
    else:
        click.echo(f"{'PART':<10} {'RUNNING':<8} {'URL':<24} LOG")
        for each in parts:
            click.echo(f"{each['part']:<10} {'yes' if each['running'] else 'no':<8} {each['url']:<24} {each['log']}")
    if not all(each["running"] for each in parts):
        sys.exit(1)


@local_group.command("down")
@FOLDER
def down(folder: Path) -> None:
    """Stop a world that runs in another terminal. Its state stays.

    \b
    Example:
      downwind local down
    """
    click.echo("stopped" if _stop(_world(folder)) else "it was not running")


@local_group.command("reset")
@FOLDER
@click.option("--yes", is_flag=True, help="Do not ask.")
def reset(folder: Path, yes: bool) -> None:
    """Stop the world and forget everything in it.

    \b
    Example:
      downwind local reset --yes
    """
    if not folder.exists():
        click.echo("there is nothing to forget")
        return
    from downwind.local.world_file import FILE, LocalWorld, forget

    if not (folder / FILE).exists():
        raise Refused(f"{folder} is not a world's folder", fix="name it with --folder")
    if not yes:
        click.confirm(f"Delete all repositories, objects and executions in {folder}?", abort=True)
    _stop(LocalWorld(folder=folder.absolute()))  # not opened: a damaged world.json is a reason to come here
    forget(folder)
    click.echo("forgotten; downwind local up starts a new one")


def _stop(world: "LocalWorld") -> bool:
    from downwind.local.world_file import running

    pid = running(world)
    if pid is None:
        return False
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + 15
    while running(world) is not None:
        if time.monotonic() > deadline:
            raise Refused(f"process {pid} does not stop", fix=f"kill -9 {pid}")
        time.sleep(0.05)
    return True


@local_group.command("person")
@FOLDER
@click.argument("email", required=False)
def person(folder: Path, email: str | None) -> None:
    """Say who orders at this keyboard, or be somebody else, to try what operators and others may.

    \b
    Examples:
      downwind local person
      downwind local person intern@localhost
    """
    world = _world(folder)
    if email is not None:
        if not OPERATOR.fullmatch(email) or email.startswith("group:"):
            raise click.BadParameter(f"{email!r} is no e-mail address", param_hint="EMAIL")
        world.become(email)
    click.echo(world.person)


@local_group.command("judge")
@FOLDER
@click.argument("application")
@click.argument("environment", required=False)
@click.option("--stop", is_flag=True, help="Say no; without it the answer is to go on.")
def judge(folder: Path, application: str, environment: str | None, stop: bool) -> None:
    """Answer the manual judgment that waits in APPLICATION, as a person does in Spinnaker.

    \b
    Examples:
      downwind local judge shop
      downwind local judge shop production --stop
    """
    from downwind.local.judge import waiting

    world = _world(folder)
    found = waiting(world, application, environment)
    if not found:
        raise Refused(f"no judgment waits in {application}", fix=f"downwind status {application}")
    if len(found) > 1:
        names = ", ".join(each.environment for each in found)
        raise Refused(f"judgments wait in {names}", fix="name the environment")
    (one,) = found
    one.answer("stop" if stop else "continue")
    click.echo(f"{one.environment} {one.n}: {'stopped' if stop else 'goes on'} (execution {one.execution.id})")


@local_group.command("demo")
@FOLDER
@click.option("--once", is_flag=True, help="Play it without a person, stop the world, and end.")
@click.option(
    "--report", "report_file", type=click.Path(path_type=Path, dir_okay=False), help="Write the rollouts as JSON."
)
def demo(folder: Path, once: bool, report_file: Path | None) -> None:
    """Play the main job in a fresh world: push, build, test, image, bundle, staging, judgment, production.

    Then a release that overtakes one, and one whose unit test fails. A world that FOLDER holds is forgotten first.

    \b
    Examples:
      downwind local demo                            and try things in the world that stays up
      downwind local demo --once --report report.json
    """
    from downwind.local import demo as story
    from downwind.local.world_file import LocalWorld, running

    if running(LocalWorld(folder=folder.absolute())) is not None:
        raise Refused("a world is running there", fix="stop it first: downwind local down")
    asked = not once and sys.stdin.isatty()

    def approve(text: str) -> bool:
        return click.confirm(f"        {text}", default=True) if asked else True

    with stopped_by_signals() as stopping, story.fresh(folder, click.echo) as world:
        report = story.Demo(world, click.echo, approve).play()
        problems = story.unexpected(report["rollouts"]) if not asked else []
        if report_file is not None:
            story.write_report(report_file, report)
        click.echo("")
        for problem in problems:
            click.echo(f"not as it should be: {problem}", err=True)
        if not problems:
            click.echo(f"Everything ended as it should ({report['seconds']:.1f} s).")
        if not once:
            for line in story.next_steps(world, report["rollouts"]):
                click.echo(line)
            stopping.wait()
            click.echo("stopping …")
    click.echo(f"stopped; its state is in {world.folder}")
    if problems:
        sys.exit(1)
