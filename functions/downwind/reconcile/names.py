"""Names of ledger, work, catalog and bundle objects (docs/reference/ledger.md lists them).

Text from outside is percent-encoded or hashed; `h8` spreads names over Cloud Storage's key ranges.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any
from urllib.parse import quote

HIGHEST = 999_999_999_999_999_999
ALL_HOLDS = "all/hold/"
"""Holds over everything and their ends, newest first: the one order that is not an environment's."""


def digest_of(*parts: str) -> str:
    """One sha256 over parts of any content: their JSON, so that no two lists of parts look alike."""
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def digest_of_json(value: Mapping[str, Any] | Sequence[Any]) -> str:
    return hashlib.sha256(json.dumps(value, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


@lru_cache(maxsize=4096)
def h8(*parts: str) -> str:
    return digest_of(*parts)[:8]


@lru_cache(maxsize=4096)
def down(number: int) -> str:
    """18 digits that sort the newest first."""
    return f"{HIGHEST - number:018d}"


@lru_cache(maxsize=4096)
def encode(text: str) -> str:
    """Any text as one segment of a name; different texts give different segments."""
    return quote(text, safe="", errors="surrogatepass")


def event(source: str, identifier: str) -> str:
    """The prefix of one event."""
    return f"event/{digest_of(source, identifier)}/"


@lru_cache(maxsize=4096)
def release(application: str, commit: str) -> str:
    return f"release/{h8(application, commit)}/{application}/{commit}/"


def pushes(application: str, ref: str, after: str | None) -> str:
    """The prefix of all pushes of a ref to one object. A deletion stands under the release `none`, so that a recreated
    branch links to what was there before."""
    return f"{release(application, after or 'none')}push/{encode(ref)}/"


def push(application: str, ref: str, before: str | None, after: str | None) -> str:
    return pushes(application, ref, after) + (before or "none")


@lru_cache(maxsize=4096)
def build(repository: str, commit: str, definition: str) -> str:
    """The prefix of all builds of one commit by one definition, whatever the number of applications."""
    where, how = digest_of(repository)[:16], digest_of(definition)[:16]
    return f"build/{h8(where, commit, how)}/{where}/{commit}/{how}/"


def image(digest: str) -> str:
    return f"image/{digest}/"


@lru_cache(maxsize=4096)
def environment(application: str, name: str) -> str:
    return f"environment/{h8(application, name)}/{application}/{name}/"


def log(application: str, name: str) -> str:
    return f"{environment(application, name)}log/"


def entry(application: str, name: str, number: int) -> str:
    return f"{log(application, name)}{down(number)}"


def refs(application: str, name: str) -> str:
    """The prefix of all refs' entries in one environment."""
    return f"{environment(application, name)}ref/"


def ref(application: str, name: str, ref_name: str) -> str:
    """The prefix of one ref's entries in one environment; number 0 is the baseline."""
    return f"{refs(application, name)}{encode(ref_name)}/"


def tip(application: str, name: str, ref_name: str, object_id: str) -> str:
    return f"{environment(application, name)}tip/{encode(ref_name)}/{object_id}/"


def rollouts(application: str, name: str) -> str:
    return f"{environment(application, name)}rollout/"


def rollout(application: str, name: str, number: int) -> str:
    return f"{rollouts(application, name)}{down(number)}/"


def requests(application: str, name: str) -> str:
    return f"{environment(application, name)}request/"


def rollout_order(application: str, name: str, number: int, verb: str, order: int) -> str:
    """Beside rollout n: entry `order` cancels or retries it."""
    return f"{rollout(application, name, number)}{verb}-order.{down(order)}"


def judgment(application: str, name: str, number: int, stage: str) -> str:
    """Beside rollout n: an operator's answer to the manual judgment of that stage."""
    return f"{rollout(application, name, number)}judgment.{encode(stage)}"


def notices(application: str, name: str) -> str:
    """Beside the rollouts, not among them: the list that reads rollouts has no room for what channels were told."""
    return f"{environment(application, name)}notice/"


def notices_of(application: str, name: str, number: int) -> str:
    return f"{notices(application, name)}{down(number)}/"


def notice_id(application: str, name: str, number: int, channel: str) -> str:
    """Of one message, whatever its state; made anew it is the same, so that a receiver can tell a repeat."""
    return digest_of(application, name, str(number), channel)[:40]


def request(application: str, name: str, identifier: str) -> str:
    return f"{requests(application, name)}{digest_of(identifier)}/"


def build_pointer(identifier: str) -> str:
    return f"pointer/build/{encode(identifier)}/"


def execution_pointer(identifier: str) -> str:
    return f"pointer/execution/{encode(identifier)}/"


def all_hold(number: int) -> str:
    return f"{ALL_HOLDS}{down(number)}"


def commit_events(commit: str) -> str:
    """The events that name a commit, for `why`. Unlike a release's name this one is found by an abbreviation."""
    return f"pointer/commit/{commit}/"


def image_events(digest: str) -> str:
    return f"{image(digest)}event/"


def parked(event_prefix: str, number: int = 0) -> str:
    """Beside the event's `parked.<number>`, in one list of all that was parked."""
    name = f"parked/{event_prefix.split('/')[1]}"
    return f"{name}.{number}" if number else name


def replayed(event_prefix: str, number: int) -> str:
    """Beside the event's `replayed.<number>`, in the same list: what was parked under that number is so no more."""
    return f"parked/{event_prefix.split('/')[1]}.{number}.replayed"


def replay(event_prefix: str, number: int) -> str:
    """The marker that asks the tick to handle again what was parked under that number."""
    return f"open/_replay/{event_prefix.split('/')[1]}.{number}"


def release_in(name: str) -> tuple[str, str] | None:
    """(application, commit) of an object that belongs to a release or points to one; None for any other, and for a deletion."""
    match name.split("/"):
        case ["release", _, application_name, commit, *_] if commit != "none":
            return application_name, commit
        case ["image", _, "release", application_name, commit] | ["pointer", "build", _, application_name, commit]:
            return application_name, commit
    return None


def announced(fact_name: str) -> str:
    """Beside the fact that was announced."""
    folder, _, leaf = fact_name.rpartition("/")
    return f"{folder}/announced.{leaf}"


def marker(application: str, event_prefix: str) -> str:
    return f"open/{application}/{event_prefix.split('/')[1]}"


def repository_index(key: str) -> str:
    return f"index/repository/{digest_of(key)[:32]}/"


def image_index(name: str) -> str:
    return f"index/image/{digest_of(name)[:32]}/"


def trigger_index(project: str, location: str, trigger: str) -> str:
    return f"index/trigger/{digest_of(project, location, trigger)[:32]}/"


def application(name: str) -> str:
    return f"application/{name}.yaml"


def bundle(application_name: str, environment_name: str, content: str) -> str:
    return f"{application_name}/{environment_name}/{content}/"


def stamped_under(application_name: str, environment_name: str) -> str:
    """The prefix of all stamped manifests of one environment."""
    return f"{application_name}/{environment_name}/rollout/"


def stamped(application_name: str, environment_name: str, number: int, part: str, parts: int) -> str:
    """`rollout/<n>.yaml`; with several parts `rollout/<n>/<part>.yaml`."""
    base = f"{stamped_under(application_name, environment_name)}{number}"
    return f"{base}.yaml" if parts == 1 else f"{base}/{part}.yaml"


def beside(name: str, data: bytes) -> str:
    """Where stamped manifests go whose own name is taken by other bytes."""
    return f"{name.removesuffix('.yaml')}.{hashlib.sha256(data).hexdigest()[:16]}.yaml"


def artifact(bundles_bucket: str, application_name: str, environment_name: str, part: str, parts: int) -> str:
    """The stable name by which a pipeline expects its manifest."""
    base = f"gs://{bundles_bucket}/{application_name}/{environment_name}"
    return base if parts == 1 else f"{base}/{part}"


def correlation(application_name: str, environment_name: str, number: int, attempt: int) -> str:
    """Lower case hex and digits only: Gate's search takes it as a regular expression."""
    owner = hashlib.sha256(f"{application_name}/{environment_name}".encode()).hexdigest()[:20]
    return f"downwind-{owner}-{number}-{attempt}"
