"""Planted faults of the protocol: each is a change of a few lines that a tired person could make. `scripts/mutants` plants them
one by one into a copy of the package, and the simulator has to find every one."""

from dataclasses import dataclass

P = "perform/"
R = "reconcile/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """`old` stands exactly once in `path` (below functions/downwind) and becomes `new`. `off`: layers without which the
    protocol holds as well, and behind which the fault would hide."""

    name: str
    path: str
    old: str
    new: str
    off: tuple[str, ...] = ()


MUTANTS = (
    # recording
    Mutant(
        name="acknowledge before recording",
        path=P + "record.py",
        old='    if not recorded:\n        raise TransientError("the message could not be recorded")\n',
        new="",
    ),
    Mutant(
        name="recorded before its facts",
        path=P + "record.py",
        old="    tips = _write(world, facts, mine)\n    said",
        new=(
            "    ledger.create(world.ledger, [NewFact(name=prefix + found.word, body={'kind': found.word, "
            "'applications': [], 'reasons': [], 'facts': []})])\n    tips = _write(world, facts, mine)\n    said"
        ),
    ),
    Mutant(
        name="a raw message counts as recorded",
        path=P + "reading.py",
        old='    return any(each.name != f"{prefix}raw" for each in standing)',
        new="    return bool(standing)",
    ),
    Mutant(
        name="no marker for an event",
        path=P + "record.py",
        old="    new = [markers.of_event(each.registered.application.name, prefix, each.hints) for each in work]",
        new="    new: list[NewObject] = []",
    ),
    Mutant(
        name="a failure to reconcile is swallowed with the record",
        path=P + "record.py",
        old="    if not mine:\n        finish()\n",
        new="    if mine:\n        finish()\n",
    ),
    Mutant(
        name="a marker goes while its event is not recorded",
        path=P + "markers.py",
        old="    return found, {each.name for each in listed} - waiting",
        new="    return found, {each.name for each in listed}",
    ),
    Mutant(
        name="markers go although something is open",
        path=P + "markers.py",
        old="    if left is not None:\n        if not may_go",
        new="    if left is not None and may_go:\n        may_go = may_go\n    elif left is not None:\n        if not may_go",
    ),
    Mutant(
        name="a part that failed counts as done",
        path=P + "reconciler.py",
        old="    if all(wait.closed for wait in due.waits) and not due.steps and not unheard and not effects.doubtful:",
        new="    if all(wait.closed for wait in due.waits) and not unheard and not effects.doubtful:",
    ),
    # the tick
    Mutant(
        name="no tick",
        path=P + "tick.py",
        old='    marked = _attempt("the markers", partial(_marked, world)) or {}',
        new="    marked: dict[str, list[StoredObject]] = {}",
    ),
    Mutant(
        name="no patrol",
        path=P + "tick.py",
        old='    _attempt("the patrol", partial(patrol, world, moment, period))\n',
        new="",
    ),
    # claims
    Mutant(
        name="no claim",
        path=P + "effects.py",
        old="        if not claimed:\n            return\n        try:\n            if isinstance",
        new="        try:\n            if isinstance",
        off=("fence", "correlation", "doubles"),
    ),
    Mutant(
        name="a claim never expires",
        path=R + "follow.py",
        old="        if snapshot.tick is None or age <= timing.lease:",
        new="        if age <= timing.lease * 1000:",
    ),
    Mutant(
        name="a claim expires at once",
        path=R + "follow.py",
        old="        if snapshot.tick is None or age <= timing.lease:",
        new="        if snapshot.tick is None:",
    ),
    Mutant(
        name="a handler takes over as well",
        path=R + "follow.py",
        old="        if snapshot.tick is None or age <= timing.lease:",
        new="        if age <= 0:",
    ),
    Mutant(
        name="a 412 is taken as lost",
        path="adapters/own_success.py",
        old='    if standing and own:\n        return "done"\n',
        new="",
    ),
    Mutant(
        name="a 412 is taken as won",
        path="adapters/own_success.py",
        old="    if standing and own:",
        new="    if standing:",
    ),
    Mutant(
        name="done before the effect",
        path=P + "effects.py",
        old="            execution = self.world.pipelines.start(config, trigger)",
        new=(
            "            self._create(NewFact(name=f\"{rollout}started.{step.attempt}.none\", body={'kind': 'started', "
            "'n': step.n, 'attempt': step.attempt, 'execution': 'none', 'commit': step.commit, 'environment': environment}))\n"
            "            execution = self.world.pipelines.start(config, trigger)"
        ),
    ),
    Mutant(
        name="an unknown outcome is taken as success",
        path=P + "effects.py",
        old="            execution = self.world.pipelines.start(config, trigger)",
        new=(
            "            try:\n                execution = self.world.pipelines.start(config, trigger)\n"
            "            except TransientError:\n                execution = 'unknown'"
        ),
    ),
    Mutant(
        name="an unknown outcome is taken as refusal",
        path=P + "effects.py",
        old="            execution = self.world.pipelines.start(config, trigger)\n        except Refused as error:",
        new="            execution = self.world.pipelines.start(config, trigger)\n        except DownwindError as error:\n            error = Refused(str(error))",
    ),
    Mutant(
        name="no search before a second post",
        path=P + "effects.py",
        old="        if step.search and step.claimed is not None and self._find(step, step.pipeline[0], step.claimed):\n            return\n",
        new="",
        off=("fence", "correlation", "doubles"),
    ),
    Mutant(
        name="a search that found something posts all the same",
        path=P + "effects.py",
        old="        if step.search and step.claimed is not None and self._find(step, step.pipeline[0], step.claimed):\n            return\n",
        new="        if step.search and step.claimed is not None:\n            self._find(step, step.pipeline[0], step.claimed)\n",
        off=("fence", "correlation", "doubles"),
    ),
    Mutant(
        name="an unknown outcome makes the next attempt",
        path=R + "attempts.py",
        old='    step = trigger(rollout, rollout.attempt, int(rollout.claim.body["epoch"]) + 1, environment, search=True)',
        new="    step = trigger(rollout, rollout.attempt + 1, 1, environment, search=False)",
    ),
    Mutant(
        name="a correlation id without the attempt",
        path=R + "names.py",
        old='    return f"downwind-{owner}-{number}-{attempt}"',
        new='    return f"downwind-{owner}-{number}"',
    ),
    Mutant(
        name="a correlation id without the environment",
        path=R + "names.py",
        old='    owner = hashlib.sha256(f"{application_name}/{environment_name}".encode()).hexdigest()[:20]',
        new='    owner = hashlib.sha256(b"downwind").hexdigest()[:20]',
    ),
    Mutant(
        name="a worker that is late posts",
        path=P + "moment.py",
        old="    if world.monotonic() - began > world.timing.drop:",
        new="    if world.monotonic() - began > world.timing.drop * 1000:",
        off=("fence", "correlation", "doubles"),
    ),
    # attempts and outcomes
    Mutant(
        name="a refused run decides before the holder is known",
        path=R + "follow.py",
        old="    if asked not in snapshot.searched and (not isinstance(decided, Outcome) or spare_only(rollout)):",
        new="    if asked not in snapshot.searched and not isinstance(decided, Outcome):",
    ),
    Mutant(
        name="the first run that ended decides",
        path=R + "follow.py",
        old="    if open_runs:\n        return\n",
        new="    if len(open_runs) == len(runs):\n        return\n",
    ),
    Mutant(
        name="the first run decides, whichever passed the fence",
        path=R + "rollouts.py",
        old="    deciding, outcome = (passed or final or found)[0]",
        new="    deciding, outcome = found[0]",
    ),
    Mutant(
        name="no second attempt",
        path=R + "rollouts.py",
        old="ATTEMPTS = 3",
        new="ATTEMPTS = 1",
    ),
    Mutant(
        name="attempts of one entry share their marks",
        path=R + "rollouts.py",
        old="        return tuple(run for run in self.runs if run.attempt == attempt)",
        new="        return self.runs",
    ),
    Mutant(
        name="nobody looks executions up",
        path="timing.py",
        old="    return often or (since >= 0 and since % timing.look_every < 2 * timing.tick)",
        new="    return often",
    ),
    # the order
    Mutant(
        name="off by one in the stale check",
        path=R + "due.py",
        old="        if entry.n <= claimed or entry.n < log[0].newest_rollback:\n            break",
        new="        if entry.n < claimed or entry.n < log[0].newest_rollback:\n            break",
    ),
    Mutant(
        name="no stale check",
        path=R + "due.py",
        old="        if entry.n <= claimed or entry.n < log[0].newest_rollback:\n            break",
        new="        if entry.n in rollouts and rollouts[entry.n].claims:\n            continue",
    ),
    Mutant(
        name="oldest first",
        path=R + "due.py",
        old="    for entry in log:\n        if entry.n <= claimed",
        new="    for entry in reversed(log):\n        if entry.n <= claimed",
    ),
    Mutant(
        name="the tip is compared across refs",
        path=R + "admit.py",
        old="    records = ref_records(application, environment, ref, snapshot)\n    newest = records[0] if records else None\n    if newest",
        new=(
            "    records = [fact for fact in snapshot.under(names.log(application.name, environment.name)) "
            "if fact.body['by'] == 'push']\n    newest = records[0] if records else None\n    if newest"
        ),
    ),
    Mutant(
        name="every tip is believed at once",
        path=R + "admit.py",
        old="    via = _link(application, ref, tip, records, snapshot)\n    if via is None:",
        new="    via = _link(application, ref, tip, records, snapshot) or ()\n    if via is None:",
    ),
    Mutant(
        name="a push links more than once",
        path=R + "admit.py",
        old="                if (before, after) in spent:\n                    continue\n",
        new="",
    ),
    Mutant(
        name="an answer from before the newest entry counts",
        path=R + "admit.py",
        old="        answers = [fact for fact in snapshot.under(prefix) if newest is None or fact.created > newest.created]",
        new="        answers = snapshot.under(prefix)",
    ),
    Mutant(
        name="an older success is promoted after a newer",
        path=R + "admit.py",
        old="    if source is None or source.n <= (log[0].promoted if log else 0):",
        new="    if source is None or source.n == (log[0].promoted if log else 0):",
    ),
    Mutant(
        name="nothing is promoted twice, but anything is forgotten",
        path=R + "log.py",
        old='"promoted": newest.promoted if newest else 0',
        new='"promoted": 0',
    ),
    # builds, images, bundles
    Mutant(
        name="a build that nobody told of is waited for",
        path=R + "releases.py",
        old="            self.collector.add(FindBuilds(commit=self.entry.commit))",
        new="            pass",
    ),
    Mutant(
        name="the claim of a build's start is taken the wrong way round",
        path=P + "build_effects.py",
        old="    if not ledger.record(world.ledger, snapshot, NewFact(name=name, body=claim))[0]:",
        new="    if ledger.record(world.ledger, snapshot, NewFact(name=name, body=claim))[0]:",
    ),
    Mutant(
        name="a dead start of a build is not taken up",
        path=R + "releases.py",
        old="    expired = (now - newest.created).total_seconds() > timing.lease",
        new="    expired = False",
    ),
    # messages
    Mutant(
        name="a message that cannot be handled now is parked",
        path=P + "record.py",
        old="        except PermanentError as error:\n            found = replace",
        new="        except DownwindError as error:\n            found = replace",
    ),
    Mutant(
        name="a request makes an entry each time",
        path=R + "orders.py",
        old='    standing = next((entry for entry in place.log if entry.request == body["id"]), None)',
        new="    standing: LogEntry | None = None",
    ),
    Mutant(
        name="announced before it was published",
        path=P + "announce.py",
        old="        if publish(publisher, step.type, step.fact)\n",
        new="        if publish(publisher, step.type, step.fact) or True\n",
    ),
    # holds and notices
    Mutant(
        name="a hold stops nothing",
        path=R + "log.py",
        old="    return hold is not None and by in AUTOMATION and hold.n != n",
        new="    return False",
    ),
    Mutant(
        name="a failure under a hold is acted upon",
        path=R + "failures.py",
        old=(
            "    if not failed_deploying(failed) or (hold is not None and hold.n is not None):\n"
            "        return\n"
            "    if hold is not None:\n"
            "        # Its end is no order of this environment, so the failure is not settled by it.\n"
            "        collector.wait(hold.says, environment=environment.name, n=newest)\n"
            "        return\n"
        ),
        new="    if not failed_deploying(failed):\n        return\n",
    ),
    Mutant(
        name="a freeze window stops nothing",
        path=R + "stops.py",
        old='    if by not in {"push", "promotion"}:',
        new='    if by not in {"promotion"}:',
    ),
    Mutant(
        name="a notice that was claimed is sent whatever happened meanwhile",
        path=P + "notify.py",
        old="    if _others(world, registered, step):",
        new="    if _others(world, registered, step) & step.known:",
    ),
    Mutant(
        name="a notice does not wait for the one before it",
        path=R + "notices.py",
        old="        if under_way or (newest and snapshot.tick is None):",
        new="        if newest and snapshot.tick is None:",
    ),
    Mutant(
        name="a notice of an unknown end is sent without a look",
        path=R + "notices.py",
        old="            look=bool(unanswered),",
        new="            look=False,",
    ),
)
