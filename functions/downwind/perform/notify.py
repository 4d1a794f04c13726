"""One delivery of a notice: claim, send, write down what came of it. Whatever happens here, no rollout notices."""

from collections.abc import Callable, Sequence

from downwind import logs
from downwind.errors import DownwindError, Refused, TransientError, UnknownOutcome
from downwind.model.catalog import Registered
from downwind.perform import ledger
from downwind.perform.world import World
from downwind.reconcile import names
from downwind.reconcile.facts import NewFact
from downwind.reconcile.links import page_of
from downwind.reconcile.messages import compose
from downwind.reconcile.notices import claims_at
from downwind.reconcile.steps import Notify
from downwind.reconcile.wanted import FACT_LIMIT, NOTICE_LIMIT, Query

REASON_LIMIT = 500


def deliver(
    world: World,
    registered: Registered,
    step: Notify,
    create: Callable[[NewFact], Sequence[bool]],
    drop_if_late: Callable[[float], None],
) -> None:
    """Raises nothing of its own: what fails stands in the ledger or is the tick's. `create` says whether each fact is new;
    `drop_if_late` raises when the claim is too old to act on."""
    try:
        failed = _deliver(world, registered, step, create, drop_if_late)
    except DownwindError as error:
        failed = str(error)
    except Exception as error:
        # As good as unanswered; the text may hold anything.
        failed = type(error).__name__
    if failed is not None:
        text = f"{step.channel.name} was not told of {step.environment} {step.n} ({step.state}): {failed}"
        logs.warning(text, application=registered.application.name)


def _deliver(
    world: World,
    registered: Registered,
    step: Notify,
    create: Callable[[NewFact], Sequence[bool]],
    drop_if_late: Callable[[float], None],
) -> str | None:
    """Why it was not sent, as far as that is known; None when it was, or is another worker's."""
    began = world.monotonic()
    about = {
        "environment": step.environment,
        "n": step.n,
        "channel": step.channel.name,
        "phase": step.phase,
        "state": step.state,
        "epoch": step.epoch,
    }

    def write(leaf: str, kind: str, **more: object) -> bool:
        name = f"{step.prefix}{step.phase}.{leaf}"
        return create(NewFact(name=name, body={"kind": kind, **about, **more}))[0]

    if not write(f"claim.{step.epoch}", "notice-claim", fields=dict(step.fields)):
        return None
    if _others(world, registered, step):
        reason = "another state of it was being told at the same moment"
        write(f"failed.{step.epoch}", "notice-failed", reason=reason)
        return reason
    application = registered.application
    environment = application.environment(step.environment)
    page = page_of(world.deck, environment.pipeline_application if environment else "", step.fields["execution"])
    notice = compose(application.name, step, page)
    try:
        drop_if_late(began)
        receipt = world.notifier.send(step.channel, notice, receipt=step.receipt, look=step.look, since=step.since)
    except UnknownOutcome as error:
        return str(error)
    except TransientError as error:
        write(f"failed.{step.epoch}", "notice-failed", reason=str(error)[:REASON_LIMIT])
        return str(error)
    except Refused as error:
        reason = f"{error.reason}; {error.fix}" if error.fix else error.reason
        write("dropped", "notice-dropped", reason=reason[:REASON_LIMIT])
        return reason
    write("sent", "notice-sent", receipt=receipt)
    return None


def _others(world: World, registered: Registered, step: Notify) -> frozenset[str]:
    """Claims of this message that came since it was decided. Of two that are claimed at once, one at least sees the other."""
    place = names.notices(registered.application.name, step.environment)
    own = names.notices_of(registered.application.name, step.environment, step.n)
    lists = ledger.load(world.ledger, [Query(prefix=place, limit=NOTICE_LIMIT), Query(prefix=own, limit=FACT_LIMIT)])
    found = [fact for facts, _cut in lists for fact in facts]
    claims = claims_at(step.channel, step.n, step.fields["commit"], found)
    return claims - step.known - {f"{step.prefix}{step.phase}.claim.{step.epoch}"}
