"""What the function `operate` does with an order: may this person, which environments are meant, and each carried out."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from downwind.errors import PermanentError, Refused, Unauthorized
from downwind.events.order import Asked
from downwind.model.catalog import Environment, Registered
from downwind.model.event import Order
from downwind.perform import applications
from downwind.perform.everything import hold_everything
from downwind.perform.operate import operate
from downwind.perform.operators import may_order
from downwind.perform.world import World
from downwind.ports import Groups


class Forbidden(Unauthorized):
    """It is known who it is, and this person may not."""


@dataclass(slots=True, kw_only=True)
class Done:
    """`refused`: environments of several where it was not done, and why."""

    who: str
    orders: list[dict[str, Any]] = field(default_factory=list)
    refused: list[dict[str, Any]] = field(default_factory=list)


def carry_out(world: World, groups: Groups, asked: Asked, email: str, everything: Sequence[str], now: datetime) -> Done:
    """`everything`: who may hold and resume all. Forbidden says the same whether or not a place exists: anybody with a Google
    account gets this far. Refused: what it means is refused, in one environment or in each of several."""
    done = Done(who=email)
    if asked.everything:
        if not may_order(everything, email, groups):
            raise Forbidden(f"{email} may not {asked.verb} everything; DOWNWIND_OPERATORS of operate lists who may")
        done.orders.append(hold_everything(world, asked.verb, asked.id, email, asked.why, now, dry_run=asked.dry_run))
        return done
    registered, places, others = _places(world, groups, asked, email)
    several = len(places) + len(others) > 1
    done.refused += [_refused(asked, each, _may_not(email, asked, each.name)) for each in others]
    for environment in places:
        try:
            answer = operate(world, registered, _order(asked, environment, email, several), now, dry_run=asked.dry_run)
        except Refused as error:
            if not several:
                raise
            done.refused.append(_refused(asked, environment, str(error)))
        else:
            done.orders.append(answer.document())
    if not done.orders:
        raise Refused("; ".join(f"{each['environment']}: {each['reason']}" for each in done.refused))
    return done


def _places(
    world: World, groups: Groups, asked: Asked, email: str
) -> tuple[Registered, list[Environment], list[Environment]]:
    """The environments that are meant, and of several those where this person may not."""
    try:
        found = applications.read(world.catalog, [str(asked.application)])
    except PermanentError:
        found = ()  # what is wrong with the file is not for everybody
    environments = found[0].application.environments if found else ()
    mine = [each for each in environments if may_order(each.operators, email, groups)]
    if asked.environment is not None:
        mine = [each for each in mine if each.name == asked.environment]
    if not mine:
        raise Forbidden(_may_not(email, asked, asked.environment))
    if asked.environment is not None:
        return found[0], mine, []
    if asked.verb in {"hold", "resume"}:
        return found[0], mine, [each for each in environments if each not in mine]
    if len(environments) > 1:
        names = ", ".join(each.name for each in environments)
        raise Refused(f"{asked.application} has several environments", field="environment", fix=f"name one: {names}")
    return found[0], mine, []


def _may_not(email: str, asked: Asked, environment: str | None) -> str:
    place = f"{asked.application}/{environment}" if environment else str(asked.application)
    return f"{email} is no operator of {place}, or there is no such place; operators in the catalog lists who is"


def _order(asked: Asked, environment: Environment, email: str, several: bool) -> Order:
    return Order(
        id=f"{asked.id} {environment.name}" if several else asked.id,
        verb=asked.verb,
        application=str(asked.application),
        environment=environment.name,
        target=asked.target,
        commit=asked.commit,
        build=asked.build,
        images=asked.images,
        who=email,
        why=asked.why,
    )


def _refused(asked: Asked, environment: Environment, reason: str) -> dict[str, Any]:
    return {"application": asked.application, "environment": environment.name, "reason": reason}
