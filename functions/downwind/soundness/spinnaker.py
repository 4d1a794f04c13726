"""Is this Spinnaker fit to be rolled out with? What Gate says of itself, of us, and of what we may use. Pure."""

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from downwind.model.catalog import Registered
from downwind.soundness.finding import Finding

FLOORS = ((2026, 1, 3), (2026, 2, 4))
"""The oldest of each line that we roll out with; of newer lines any."""
LATE = 60
"""Seconds after which an end was rather looked up than told of: Echo takes milliseconds, the first look-up two minutes."""
_NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")

# What `spin` was seen to do wrong, recorded with a real Gate (tests/contract/gate/recorded_spin).
SPIN_LOSES = (
    "`pipeline execute` loses parameters and artifacts, auth.basic and auth.iap send no credentials, and a login page counts "
    "as success"
)

Document = Mapping[str, Any]


def check_version(said: str | None) -> Iterator[Finding]:
    """A version with a suffix (`2026.2.4-rc1`) counts as the one that it leads to."""
    numbers = _NUMBERS.match(said or "")
    if numbers is None:
        yield Finding(
            where="Gate",
            what=f"does not say which version of Spinnaker it is ({said or 'nothing'})",
            fix="look at its image's tag: it has to be 2026.1.3, 2026.2.4 or newer",
        )
        return
    found = tuple(int(number) for number in numbers.groups())
    line = next((floor for floor in FLOORS if floor[:2] == found[:2]), None)
    if found < (line or FLOORS[-1]):
        wanted = ".".join(map(str, line or FLOORS[-1]))
        yield Finding(
            where="Gate",
            what=f"is Spinnaker {said}, older than the fixes that we rely on",
            fix=f"upgrade to {wanted} or newer",
        )


def check_user(user: Document, ways: str) -> Iterator[Finding]:
    """`ways`: how we sign in."""
    name = user.get("username") or user.get("email")
    if not name or name == "anonymous":
        what = (
            "takes us for anonymous: whoever reaches it can do what we can"
            if ways == "nothing"
            else (f"takes us for anonymous, though we sign in by {ways}")
        )
        fix = "switch a way of signing in on in Gate, and set DOWNWIND_GATE_SIGN_IN and DOWNWIND_GATE_SECRET"
        yield Finding(where="Gate", what=what, fix=fix)


def check_accounts(
    registered: Sequence[Registered], accounts: Iterable[Document], artifact_accounts: Iterable[Document]
) -> Iterator[Finding]:
    """Those that the catalog names."""
    known = {str(each.get("name")): each for each in accounts}
    artifacts = {str(each.get("name")): each for each in artifact_accounts}
    for each in registered:
        for environment in each.application.environments:
            where = f"{each.application.name}/{environment.name}"
            account = environment.account
            if account is not None and account not in known:
                yield Finding(
                    where=where,
                    what=f"its account {account} is not one that Spinnaker shows us ({', '.join(sorted(known)) or 'none'})",
                    fix="correct pipeline.account in the catalog, or give our user READ and WRITE on it",
                )
            elif account is not None and known[account].get("authorized") is False:
                yield Finding(
                    where=where, what=f"we may not use account {account}", fix="give our user WRITE on it in Fiat"
                )
            artifact = environment.artifact_account
            if artifact not in artifacts:
                names = ", ".join(sorted(artifacts)) or "none"
                yield Finding(
                    where=where,
                    what=f"its artifact account {artifact} is not one of Spinnaker's ({names})",
                    fix="add it to Clouddriver (artifacts.gcs.accounts), or correct pipeline.artifact_account in the catalog",
                )
            elif "gcs/object" not in (artifacts[artifact].get("types") or []):
                yield Finding(
                    where=where,
                    what=f"artifact account {artifact} reads no gcs/object",
                    fix="name an account of artifacts.gcs in pipeline.artifact_account",
                )


def check_applications(registered: Sequence[Registered], applications: Iterable[Document]) -> Iterator[Finding]:
    known = {str(each.get("name")).lower() for each in applications}
    wanted = {env.pipeline_application for each in registered for env in each.application.environments}
    for name in sorted(wanted):
        if name.lower() not in known:
            yield Finding(
                where=f"application {name}",
                what="is not one that Spinnaker shows us",
                fix=f"downwind spinnaker application save {name} --email YOU@EXAMPLE, or give our user READ and EXECUTE on it",
            )


def check_echo(delays: Sequence[float]) -> Iterator[Finding]:
    """`delays`: seconds from the end of an execution to its fact in the ledger, of the newest ones. One that came at once shows
    that Echo reaches us: the first look-up is two minutes later."""
    if delays and min(delays) > LATE:
        yield Finding(
            where="Echo",
            what=f"did not announce the last {len(delays)} ends: we knew of them {median(delays):.0f} s later, by asking",
            fix="set rest.endpoints in echo-local.yml to the address of `receive`, with the header Authorization: Bearer and "
            "the text of DOWNWIND_ECHO_SECRET's secret",
        )


def check_spin(said: str) -> Iterator[Finding]:
    """`said`: what the `spin` on the path prints for --version."""
    numbers = _NUMBERS.search(said)
    if numbers is None or tuple(int(each) for each in numbers.groups()) >= (2026, 2, 0):
        yield Finding(
            where=f"spin ({' '.join(said.split()) or 'no version'})",
            what=f"is one whose {SPIN_LOSES}",
            fix="use downwind spinnaker and downwind pipelines, or a spin of 2026.1 with --default-headers",
        )
