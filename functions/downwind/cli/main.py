"""The top group, and what becomes of errors: one line that says what to do next, and an exit code."""

from pathlib import Path
from typing import Any

import click

from downwind.cli.lazy import LazyGroup
from downwind.errors import DownwindError, Misconfigured, Refused, TransientError
from downwind.settings import SettingsError

COMMANDS = {
    "app": ("downwind.cli.app_command:app_group", "The catalog: which repositories roll out where."),
    "pipelines": ("downwind.cli.pipelines_command:pipelines_group", "Spinnaker's pipelines, as files."),
    "status": ("downwind.cli.status_command:status_command", "What is live, what runs and what comes next."),
    "history": ("downwind.cli.history_command:history_command", "What was rolled out, by whom, why and when."),
    "queue": ("downwind.cli.queue_command:queue_command", "What is open now, and why."),
    "why": ("downwind.cli.why_command:why_command", "Say what became of a commit, digest, build, execution or event."),
    "render": ("downwind.cli.render_command:render_command", "What a commit, or a folder, renders to."),
    "diff": ("downwind.cli.diff_command:diff_command", "What differs: two bundles, or a bundle and the cluster."),
    "prune": ("downwind.cli.prune_command:prune_command", "Objects in a cluster that no rollout owns any more."),
    "parked": ("downwind.cli.parked_command:parked_group", "Messages that could not be handled."),
    "deploy": ("downwind.cli.order_command:deploy_command", "Order a commit into an environment."),
    "promote": ("downwind.cli.order_command:promote_command", "Order what succeeded upstream into an environment."),
    "rollback": ("downwind.cli.operate_command:rollback_command", "Bring an earlier success again, and hold."),
    "hold": ("downwind.cli.operate_command:hold_command", "Have automation leave an environment alone."),
    "resume": ("downwind.cli.operate_command:resume_command", "End a hold: the newest release goes."),
    "cancel": ("downwind.cli.operate_command:cancel_command", "End the run of an entry, with no new attempt."),
    "retry": ("downwind.cli.operate_command:retry_command", "Try the newest entry once more."),
    "approve": ("downwind.cli.operate_command:approve_command", "Answer the judgment that waits: go on."),
    "reject": ("downwind.cli.operate_command:reject_command", "Answer the judgment that waits: stop."),
    "verify": ("downwind.cli.verify_command:verify_command", "Check that nothing old or double can roll out."),
    "spinnaker": (
        "downwind.cli.spinnaker_command:spinnaker_group",
        "Is this Spinnaker fit; its applications and executions.",
    ),
    "bootstrap": (
        "downwind.cli.bootstrap_command:bootstrap_group",
        "Install in Google Cloud: init, doctor, plan, apply, destroy.",
    ),
    "ledger": ("downwind.cli.ledger_command:ledger_group", "What to do when the ledger was lost."),
    "engines": ("downwind.cli.engines_command:engines_group", "Kustomize and Helm for this machine."),
    "events": ("downwind.cli.events_command:events_group", "Messages from outside, and what they mean to us."),
    "local": ("downwind.cli.local_command:local_group", "The whole world on this machine."),
}


class _Failed(click.ClickException):
    exit_code = 1


class _Usage(click.ClickException):
    exit_code = 2


class _TryAgain(click.ClickException):
    exit_code = 3


def told(error: DownwindError, *, local: bool = False) -> click.ClickException:
    """An error that we raised on purpose, as one line with its exit code. `local`: it was a local world that did not answer."""
    text = str(error)
    if isinstance(error, Refused) and error.fix:
        text = f"{text}; {error.fix}"
    text = " ".join(text.split())
    if isinstance(error, Misconfigured):
        return _Failed(text)  # it says what to put right; trying again would not
    if isinstance(error, TransientError):
        return _TryAgain(f"{text}; {'is it running? downwind local up' if local else 'try again'}")
    return _Usage(text) if isinstance(error, SettingsError) else _Failed(text)


def _is_local(session: Any) -> bool:
    """Without making settings that nobody has asked for yet."""
    settings = vars(session).get("settings") if session is not None else None
    return settings is not None and settings.local


class _Commands(LazyGroup):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except DownwindError as error:
            raise told(error, local=_is_local(ctx.obj)) from error
        except Exception as error:
            # Only what Google's library says of missing or expired credentials: that is the user's to put right.
            if type(error).__module__.partition(".")[0::2] != ("google", "auth.exceptions"):
                raise
            raise told(Refused(f"Google Cloud: {error}", fix="gcloud auth application-default login")) from error


@click.group(
    cls=_Commands,
    lazy=COMMANDS,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.option(
    "--world",
    "world_file",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The world.json of a local world; without it DOWNWIND_* variables count, else the nearest .downwind folder.",
)
@click.version_option(package_name="downwind")
@click.pass_context
def main(context: click.Context, world_file: Path | None) -> None:
    """From git push to a Spinnaker rollout, and why.

    Where to look is taken from the DOWNWIND_* variables; where none is set, from the local world of this folder
    (.downwind/world.json here or in a folder above).

    Exit codes: 0 done, 1 refused or failed, 2 wrong usage, 3 the other side did not answer: try again.

    \b
    Examples:
      downwind status
      downwind why 5d6e7f8
      downwind app check downwind.yaml
      downwind COMMAND --help
    """
    from downwind.cli.context import Session

    session = context.ensure_object(Session)
    if world_file is not None:
        session.world_file = world_file
