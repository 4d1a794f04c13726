"""The first entry of a log that was lost or only half restored: above everything that was ever rolled out, as far as anybody
still knows (docs/decisions/0017-a-lost-log-goes-on-above-what-is-live.md).

It brings no release. As below a rollback, nothing below it is ever started; what upstream had until then counts as
promoted; and every ref counts as it is today, so that no replay of an old push rolls anything out.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from downwind.errors import Refused
from downwind.model.catalog import Application, Environment, Registered
from downwind.reconcile import names
from downwind.reconcile.admit import ref_records
from downwind.reconcile.facts import NewFact, RefTip, Snapshot

_NUMBER = re.compile("0|[1-9][0-9]{0,17}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """The highest sequence of one environment by where it was seen: `ledger`, `bundles`, and each cluster by its name."""

    numbers: Mapping[str, int]

    @property
    def highest(self) -> int:
        return max(self.numbers.values(), default=0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebase:
    """For one environment. `entry` is None where nothing was ever rolled out. `refs`: to be written before it."""

    environment: str
    known: Known
    entry: NewFact | None
    refs: tuple[NewFact, ...]

    @property
    def n(self) -> int | None:
        return int(self.entry.body["n"]) if self.entry is not None else None


def live_sequence(application: str, environment: str, annotations: Iterable[Mapping[str, str]]) -> int:
    """The highest number that this owner has written to any object (its marks); 0 for none."""
    owner = f"{application}/{environment}"
    marks = [each.get("downwind.dev/sequence", "") for each in annotations if each.get("downwind.dev/owner") == owner]
    return max((int(mark) for mark in marks if _NUMBER.fullmatch(mark)), default=0)


def bundle_sequence(application: str, environment: str, objects: Iterable[str]) -> int:
    """Of the stamped manifests: a number that was claimed for trigger, whether its rollout got anywhere or not."""
    prefix = names.stamped_under(application, environment)
    found = (re.match(r"[1-9][0-9]{0,17}(?=[./])", name.removeprefix(prefix)) for name in objects)
    return max((int(each[0]) for each in found if each), default=0)


def ledger_sequence(application: Application, environment: Environment, snapshot: Snapshot) -> int:
    """Of entries, rollouts and pointers from refs: any of them may have lost the others."""
    place = (application.name, environment.name)
    numbers = [int(fact.body["n"]) for fact in snapshot.under(names.log(*place))]
    numbers += [int(fact.body["n"]) for fact in snapshot.under(names.refs(*place))]
    prefix = names.rollouts(*place)
    rollouts = [fact.name.removeprefix(prefix).split("/")[0] for fact in snapshot.under(prefix)]
    return max([0, *numbers, *(names.HIGHEST - int(each) for each in rollouts)])


def plan(
    registered: Registered,
    snapshot: Snapshot,
    known: Mapping[str, Known],
    chosen: Iterable[Environment],
    about: Mapping[str, str | None],
) -> list[Rebase]:
    """One for each of the `chosen` environments. `known`: of every environment; `snapshot` holds logs, refs and tips.
    `about`: who and why. Refused when a number is the last that the admission policy takes."""
    numbers = {name: each.highest for name, each in known.items()}
    chosen = list(chosen)
    for environment in chosen:
        if numbers[environment.name]:
            numbers[environment.name] += 1
    return [_rebase(registered, each, snapshot, known[each.name], numbers, about) for each in chosen]


def _rebase(
    registered: Registered,
    environment: Environment,
    snapshot: Snapshot,
    known: Known,
    numbers: Mapping[str, int],
    about: Mapping[str, str | None],
) -> Rebase:
    application = registered.application
    number = numbers[environment.name] if known.highest else 0
    if number > names.HIGHEST:
        raise Refused(f"{environment.name} has used the last sequence there is, {names.HIGHEST}")
    refs = tuple(_refs(application, environment, snapshot, number))
    if not number:
        return Rebase(environment=environment.name, known=known, entry=None, refs=refs)
    standing = snapshot.under(names.log(application.name, environment.name))
    carried = standing[0].body if standing else {}
    body = {
        "kind": "entry",
        "application": application.name,
        "environment": environment.name,
        "n": number,
        "by": "operator",
        "verb": "rebase",
        "commit": None,
        "promoted": max(int(carried.get("promoted") or 0), numbers.get(environment.after or "", 0)),
        "newest_release": 0,
        # What a rollback does to older entries, it does as well: none of them starts any more.
        "newest_rollback": number,
        "settled": number,
        "hold": carried.get("hold"),
        "generation": registered.generation,
        "known": dict(known.numbers),
        **about,
    }
    entry = NewFact(name=names.entry(application.name, environment.name, number), body=body)
    return Rebase(environment=environment.name, known=known, entry=entry, refs=refs)


def _refs(application: Application, environment: Environment, snapshot: Snapshot, number: int) -> Iterable[NewFact]:
    """Today's tips, where the ledger does not say the same: as a baseline, or as the newest record of the ref."""
    for ref, tip in sorted((snapshot.tips or {}).items()):
        if environment not in application.fed_by(ref):
            continue
        records = ref_records(application, environment, ref, snapshot)
        if not records:
            yield baseline(application, environment, ref, tip)
        elif number and records[0].body["object"] != tip.object:
            yield _pointer(application, environment, ref, tip, number)


def baseline(application: Application, environment: Environment, ref: str, tip: RefTip) -> NewFact:
    """Where a ref stood when it began to feed the environment: what stood there before does not roll out by itself."""
    return _pointer(application, environment, ref, tip, 0)


def _pointer(application: Application, environment: Environment, ref: str, tip: RefTip, number: int) -> NewFact:
    about = {"environment": environment.name, "ref": ref, "n": number, "commit": tip.commit, "object": tip.object}
    name = names.ref(application.name, environment.name, ref) + names.down(number)
    return NewFact(name=name, body={"kind": "ref", **about, "via": []})
