"""`downwind bootstrap`: what has to be there in Google Cloud, and how it comes there and goes again."""

import json
from pathlib import Path
from typing import Any

import click

from downwind.bootstrap.apply import steps_now
from downwind.bootstrap.config import complete, schema
from downwind.bootstrap.plan import UNREAD, document
from downwind.bootstrap.shell import script
from downwind.bootstrap.template import render
from downwind.cli.bootstrap_place import (
    CONFIG,
    Place,
    config_option,
    gate_option,
    lines,
    needs_attention,
    package_option,
    summary,
    write_file,
)
from downwind.cli.bootstrap_questions import Answers
from downwind.cli.lazy import LazyGroup
from downwind.cli.output import output_option, show
from downwind.errors import Refused
from downwind.model.fields import Invalid

COMMANDS = {
    "init": ("downwind.cli.bootstrap_command:init_command", "Write a commented configuration."),
    "doctor": ("downwind.cli.bootstrap_doctor:doctor_command", "Is this machine and this project fit?"),
    "plan": ("downwind.cli.bootstrap_command:plan_command", "Say what is missing, and the line that makes it."),
    "apply": ("downwind.cli.bootstrap_apply:apply_command", "Do it: stopped anywhere, it goes on where it was."),
    "deploy": (
        "downwind.cli.bootstrap_deploy:deploy_command",
        "One package to all functions; back by itself when not well.",
    ),
    "verify": (
        "downwind.cli.bootstrap_verify:verify_command",
        "Prove it: a push rolls out, and what must not work fails.",
    ),
    "destroy": ("downwind.cli.bootstrap_apply:destroy_command", "Take away what this installation made."),
}


@click.group("bootstrap", cls=LazyGroup, lazy=COMMANDS)
def bootstrap_group() -> None:
    """From an empty Google Cloud project to an installation, and back. Nothing is changed before `apply`."""


@click.command("init")
@click.option("--project", help="The project's id.")
@click.option("--number", help="The project's number: gcloud projects describe PROJECT --format='value(projectNumber)'")
@click.option("--region", help="One region, such as europe-west1.")
@click.option("--gate", help="The address of Spinnaker's Gate.")
@click.option("--cluster", type=click.Choice(["none", "autopilot", "standard"]), help="Make a cluster?")
@click.option("--context", help="Reach a cluster that is there by this context of the kubeconfig.")
@click.option("--namespace", "namespaces", multiple=True, help="Where environments deploy to; repeat it.")
@click.option("--install-spinnaker/--existing-spinnaker", default=None, help="Install Spinnaker by our chart?")
@click.option("--webhooks", is_flag=True, help="Open receive to the internet, for GitHub's webhooks.")
@click.option("--caller", "callers", multiple=True, help="Who may call operate: user:… or group:…; repeat it.")
@click.option(
    "--file", "path", type=click.Path(dir_okay=False, path_type=Path), default=Path(CONFIG), show_default=True
)
@click.option("--force", is_flag=True, help="Overwrite a file that is there.")
def init_command(
    path: Path,
    *,
    force: bool,
    webhooks: bool,
    callers: tuple[str, ...],
    namespaces: tuple[str, ...],
    context: str | None,
    install_spinnaker: bool | None,
    **given: str | None,
) -> None:
    """Write a commented configuration. What no option gives is asked for.

    \b
    Examples:
      downwind bootstrap init
      downwind bootstrap init --project acme-delivery --number 123456789012 --region europe-west1 \\
        --gate http://gate.example:8084 --context production --namespace shop --existing-spinnaker
    """
    if path.exists() and not force:
        raise Refused(f"{path} is there already", fix="take another --file, or overwrite it with --force")

    cluster = {"context": context} if context is not None else {"create": given["cluster"]}
    config: dict[str, Any] = {
        "apiVersion": "downwind.dev/v1",
        "kind": "Installation",
        **{name: given[name] for name in ("project", "number", "region")},
        "cluster": cluster,
        "spinnaker": {"gate": given["gate"], "install": install_spinnaker},
    }
    answers = Answers(config)
    answers.ask(("project",), "Project id")
    answers.ask(("number",), "Project number")
    answers.ask(("region",), "Region", "europe-west1")
    if context is None:
        answers.ask(("cluster", "create"), "Make a cluster (none, autopilot, standard)", "none")
    if install_spinnaker is None:
        config["spinnaker"]["install"] = click.confirm("Install Spinnaker by our chart?", err=True)
    reserved = config["spinnaker"]["install"] and cluster.get("create", "none") != "none"
    address = f"http://{schema()['properties']['network']['properties']['gateAddress']['default']}:8084"
    answers.ask(("spinnaker", "gate"), "Address of Gate, as functions reach it", address if reserved else None)
    if namespaces:
        config["namespaces"] = [{"name": each} for each in namespaces]
    if webhooks:
        config["hear"] = {"webhooks": True}
    if callers:
        config["operate"] = {"callers": list(callers)}
    try:
        complete(config)
    except Invalid as error:
        raise Refused(str(error)) from error
    write_file(path, render(config))
    click.echo(f"wrote {path}; next: downwind bootstrap plan --config {path} --offline")


@click.command("plan")
@config_option
@package_option
@click.option("--offline", is_flag=True, help="Ask nothing: the whole list, as if the project were empty.")
@click.option("--shell", is_flag=True, help="Print a plain script instead.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="Keep the plan for apply.")
@gate_option
@output_option
@click.pass_context
def plan_command(
    context: click.Context,
    config_file: Path,
    package_file: Path | None,
    out: Path | None,
    gate: str | None,
    output: str,
    *,
    offline: bool,
    shell: bool,
) -> None:
    """Say what is missing, what differs, and the exact line or request for each. Nothing is changed.

    Exit code: 0 nothing to do, 1 refused, 2 something to do, 3 Google did not answer; or Gate did not, and the plan says of its
    part that it was not read.

    \b
    Examples:
      downwind bootstrap plan --offline
      downwind bootstrap plan --out plan.json
      downwind bootstrap plan --offline --shell > install.sh
    """
    if shell and output != "table":
        raise click.UsageError(f"--shell prints a script, and -o {output} a document: leave one of them out")
    place = Place(config_file, package_file, offline, gate)
    plan = place.plan
    steps = plan.offline() if offline else steps_now(plan, place.cloud)
    endpoints = {} if offline else place.cloud.endpoints
    if out is not None:
        saved = {**document(steps, endpoints), "config": place.config, "package": plan.values.package}
        write_file(out, json.dumps(saved, indent=2) + "\n")
    if shell:
        for line in script(plan, steps):
            click.echo(line)
    else:
        shown = [each for each in steps if each.action != "keep" or each.waits]
        show(document(steps, endpoints), output, lambda: [*lines(shown, endpoints), f"{summary(steps)}"])
    unread = any(each.action == UNREAD for each in steps)
    context.exit(3 if unread else 2 if needs_attention(steps) else 0)
