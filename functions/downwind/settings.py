"""What an installation decides, read once from the environment. A missing or wrong name is an error at start, all at once."""

from collections.abc import Mapping
from dataclasses import dataclass

from downwind.errors import PermanentError
from downwind.timing import CLOUD_TIMING, LOCAL_TIMING, Timing


class SettingsError(PermanentError):
    """Every missing or invalid setting, in one text."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Names of the four buckets, addresses of the systems, and how senders prove themselves."""

    project: str
    ledger_bucket: str
    work_bucket: str
    catalog_bucket: str
    bundles_bucket: str
    gate_url: str
    topic_prefix: str = ""
    deck_url: str | None = None
    """Spinnaker's pages, for links."""
    gate_sign_in: str | None = None
    """How the text of `gate_secret` is sent to Gate: token, bearer or basic; or google: this identity's access token."""
    gate_secret: str | None = None
    gate_token_secret: str | None = None
    """The older name of `gate_secret` for bearer."""
    gate_audience: str | None = None
    """For an id token before Gate: IAP's client id, or the address of the Cloud Run service."""
    gate_certificate_secret: str | None = None
    """PEM of a client certificate and its key."""
    gate_authorities_secret: str | None = None
    """PEM of the authorities that vouch for Gate's own certificate, beside the public ones."""
    push_audience: str | None = None
    push_email: str | None = None
    """Pub/Sub's OIDC token must name exactly these; None is allowed in the local world only."""
    senders_checked_by: str | None = None
    """`cloud-run`: IAM lets senders in, and Cloud Run has checked a token whose signature it took away (decision 0055)."""
    certs_url: str | None = None
    """Where the keys of ID tokens are; None: Google's."""
    github_secrets: str | None = None
    """Name of the secret that holds one webhook secret a line, two at most during a rotation."""
    echo_secret: str | None = None
    cloud_build_endpoint: str | None = None
    """Only the local world sets it."""
    pubsub_endpoint: str | None = None
    """Where REST of the broker is; only the local world sets it."""
    registry_mirror: str | None = None
    """Host that answers for every registry, by whole name; only the local world sets it."""
    secrets_folder: str | None = None
    kubeconfig: str | None = None
    """Which file names the clusters that `downwind verify`, `prune` and `ledger rebase` ask; None: kubectl's own rule."""
    operate_url: str | None = None
    """Where the function `operate` is: the audience of people's tokens, and where the command line sends orders."""
    operators: str | None = None
    """Who may hold and resume everything: addresses, and `group:` before a group's, with commas between; None: nobody."""
    person: str | None = None
    """Whose tokens the command line asks the local world for; only the local world sets it."""
    notices_endpoint: str | None = None
    """Stands for Slack, the code hosts and Google Chat; only the local world sets it."""
    local: bool = False
    timing: Timing = CLOUD_TIMING

    @property
    def operators_of_all(self) -> tuple[str, ...]:
        return tuple(each.strip() for each in (self.operators or "").split(",") if each.strip())


SIGN_INS = ("none", "token", "bearer", "basic", "google")
_REQUIRED = ("project", "ledger_bucket", "work_bucket", "catalog_bucket", "bundles_bucket", "gate_url")
_OPTIONAL = (
    "topic_prefix",
    "deck_url",
    "gate_sign_in",
    "gate_secret",
    "gate_token_secret",
    "gate_audience",
    "gate_certificate_secret",
    "gate_authorities_secret",
    "push_audience",
    "push_email",
    "senders_checked_by",
    "certs_url",
    "github_secrets",
    "echo_secret",
    "cloud_build_endpoint",
    "pubsub_endpoint",
    "registry_mirror",
    "secrets_folder",
    "kubeconfig",
    "operate_url",
    "operators",
    "person",
    "notices_endpoint",
)


def read_settings(environment: Mapping[str, str], *, receives: bool = True) -> Settings:
    """Settings from `DOWNWIND_<NAME>` variables. Raises SettingsError that lists every problem at once.

    `receives`: messages come in, so what checks their senders must be there; the command line only asks and publishes.
    """
    values = {name: environment.get(f"DOWNWIND_{name.upper()}", "").strip() for name in (*_REQUIRED, *_OPTIONAL)}
    problems = [f"DOWNWIND_{name.upper()} is missing" for name in _REQUIRED if not values[name]]
    local = environment.get("DOWNWIND_LOCAL", "") == "1"
    if not local:
        problems += [
            f"DOWNWIND_{name.upper()} is missing: without it a sender cannot be checked"
            for name in ("push_audience", "push_email")
            if receives and not values[name]
        ]
        problems += [
            f"DOWNWIND_{name.upper()} is for the local world (DOWNWIND_LOCAL=1) only"
            for name in (
                "certs_url",
                "cloud_build_endpoint",
                "pubsub_endpoint",
                "registry_mirror",
                "person",
                "notices_endpoint",
            )
            if values[name]
        ]
    problems += _sign_in(values)
    if values["senders_checked_by"] not in {"", "cloud-run"}:
        problems.append("DOWNWIND_SENDERS_CHECKED_BY is cloud-run, or left out")
    if values["senders_checked_by"] and not environment.get("K_SERVICE") and receives:
        problems.append("DOWNWIND_SENDERS_CHECKED_BY=cloud-run is for Cloud Run only: elsewhere nobody has checked")
    if local and environment.get("K_SERVICE"):
        problems.append("DOWNWIND_LOCAL=1 lets calls in without a token: never on Cloud Run")
    known = {f"DOWNWIND_{name.upper()}" for name in (*_REQUIRED, *_OPTIONAL)} | {"DOWNWIND_LOCAL"}
    problems += [
        f"{name} is not a setting" for name in sorted(environment) if name.startswith("DOWNWIND_") and name not in known
    ]
    if problems:
        raise SettingsError("; ".join(problems))
    optional: dict[str, str] = {name: values[name] for name in _OPTIONAL if values[name]}
    return Settings(
        **{name: values[name] for name in _REQUIRED},
        **optional,
        local=local,
        timing=LOCAL_TIMING if local else CLOUD_TIMING,
    )


def _sign_in(values: Mapping[str, str]) -> list[str]:
    way, secret = values["gate_sign_in"], values["gate_secret"]
    if way and way not in SIGN_INS:
        return [f"DOWNWIND_GATE_SIGN_IN is not one of {', '.join(SIGN_INS)}"]
    if way in {"token", "bearer", "basic"} and not secret:
        return [f"DOWNWIND_GATE_SECRET is missing: DOWNWIND_GATE_SIGN_IN={way} sends its text"]
    if secret and way in {"", "none", "google"}:
        return ["DOWNWIND_GATE_SIGN_IN has to say how DOWNWIND_GATE_SECRET is sent: token, bearer or basic"]
    return []
