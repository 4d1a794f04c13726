"""Settings to ports: the only place that names concrete adapters. Each is made at its first use, once, for all threads, so that
a function pays only for the vendor clients that its message needs."""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

from downwind.errors import Misconfigured
from downwind.perform.world import World
from downwind.ports import Cluster, Renderer, Repository, Secrets
from downwind.ports_of_people import Spinnaker
from downwind.settings import Settings

_PARALLEL = 16
_RECENT = 300.0


class Lazy:
    """Stands in for an adapter until somebody calls one of its methods."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make
        self._lock = threading.Lock()
        self._made: Any = None

    def __getattr__(self, name: str) -> Any:
        with self._lock:
            if self._made is None:
                self._made = self._make()
        return getattr(self._made, name)


def side_by_side(calls: Sequence[Callable[[], Any]]) -> list[Any]:
    """Independent calls at once. The first error is raised after all calls have ended, so none runs on unseen.

    Each round has a pool of its own: calls make such rounds themselves, and in one shared pool they would wait for workers
    that wait for them.
    """
    if len(calls) <= 1:
        return [call() for call in calls]
    with ThreadPoolExecutor(min(len(calls), _PARALLEL), thread_name_prefix="downwind") as pool:
        futures = [pool.submit(call) for call in calls]
        wait(futures)
    return [future.result() for future in futures]


class RecentSecrets:
    """Secrets as they were at most five minutes ago: a new version is taken up without a restart, and not asked for each time."""

    def __init__(self, secrets: Secrets, clock: Callable[[], float] = time.monotonic) -> None:
        self._secrets = secrets
        self._clock = clock
        self._known: dict[str, tuple[float, str]] = {}

    def read(self, name: str) -> str:
        known = self._known.get(name)
        if known is None or self._clock() - known[0] > _RECENT:
            known = (self._clock(), self._secrets.read(name))
            self._known[name] = known
        return known[1]

    def forget(self, name: str) -> None:
        """What was read no longer opens anything: the next `read` asks anew."""
        self._known.pop(name, None)


def make_secrets(settings: Settings) -> Secrets:
    from downwind.adapters.secrets import FolderSecrets, SecretManager

    folder = settings.secrets_folder
    return RecentSecrets(FolderSecrets(folder) if folder else SecretManager(settings.project))


def make_world(settings: Settings) -> World:
    secrets: Any = Lazy(lambda: make_secrets(settings))
    timeout = settings.timing.effect

    def storage_client() -> Any:
        from downwind.adapters.gcs import gcs_client

        return gcs_client(settings.project)

    client = Lazy(storage_client)

    def store(bucket: str) -> Any:
        def make() -> Any:
            from downwind.adapters.gcs import GcsStore

            return GcsStore(bucket, client=client, timeout=timeout)

        return Lazy(make)

    def repository() -> Any:
        from downwind.adapters.repository import GitRepository

        return GitRepository(secrets, timeout=timeout)

    def builds() -> Any:
        from downwind.adapters.cloud_build import CloudBuilds

        return CloudBuilds(settings.cloud_build_endpoint, timeout=timeout)

    def registry() -> Any:
        from downwind.adapters.registry import OciRegistry

        return OciRegistry(timeout=timeout, mirror=settings.registry_mirror)

    def attestations() -> Any:
        if settings.local:
            # Nobody attests there: who asks for attestations waits for them.
            from downwind.adapters.memory_attestations import MemoryAttestations

            return MemoryAttestations()
        from downwind.adapters.artifact_analysis import ArtifactAnalysis
        from downwind.adapters.recent_attestations import RecentAttestations

        return RecentAttestations(ArtifactAnalysis(timeout=timeout))

    def renderer() -> Any:
        return make_renderer(timeout, world_repository)

    def pipelines() -> Any:
        from downwind.adapters.gate import GatePipelines

        sign_in = make_sign_in(settings, secrets)
        return GatePipelines(
            settings.gate_url, headers=sign_in.headers, renew=sign_in.renew, tls=sign_in.tls, timeout=timeout
        )

    def publisher() -> Any:
        from downwind.adapters.pubsub import PubsubPublisher

        return PubsubPublisher(
            settings.project, prefix=settings.topic_prefix, endpoint=settings.pubsub_endpoint, timeout=timeout
        )

    def notifier() -> Any:
        from downwind.adapters.notifiers import Notifiers

        return Notifiers(secrets, timeout=timeout, endpoint=settings.notices_endpoint, local=settings.local)

    lazy: Callable[[Callable[[], Any]], Any] = Lazy
    world_repository = lazy(repository)
    return World(
        ledger=store(settings.ledger_bucket),
        work=store(settings.work_bucket),
        catalog=store(settings.catalog_bucket),
        bundles=store(settings.bundles_bucket),
        bundles_bucket=settings.bundles_bucket,
        repository=world_repository,
        builds=lazy(builds),
        registry=lazy(registry),
        attestations=lazy(attestations),
        renderer=lazy(renderer),
        pipelines=lazy(pipelines),
        publisher=lazy(publisher),
        notifier=lazy(notifier),
        timing=settings.timing,
        monotonic=time.monotonic,
        side_by_side=side_by_side,
        deck=settings.deck_url,
    )


def make_renderer(timeout: float, repository: Repository | None = None) -> Renderer:
    """Needs no settings: a folder on a laptop is rendered without any. `repository`: for bases that the catalog allows."""
    from downwind.adapters.chart_archives import PublicCharts
    from downwind.adapters.engine_programs import Programs, cache_folder, vendored_folder
    from downwind.adapters.engine_renderer import EngineRenderer

    return EngineRenderer(
        Programs([vendored_folder(), cache_folder()]),
        timeout,
        repository.tree if repository else None,
        PublicCharts(min(timeout, 20)).archive,
    )


def make_cluster(settings: Settings, context: str | None = None) -> Cluster:
    """Not part of the world: no function asks a cluster, people do. `context`: of the kubeconfig; None: its current one."""
    from downwind.adapters.cluster import KubernetesCluster

    return KubernetesCluster(settings.kubeconfig, context, timeout=settings.timing.effect)


def make_spinnaker(settings: Settings) -> Spinnaker:
    """As `make_cluster`: people ask it, no function does."""
    from downwind.adapters.gate_client import GateClient
    from downwind.adapters.gate_spinnaker import GateSpinnaker

    sign_in = make_sign_in(settings, Lazy(lambda: make_secrets(settings)))
    timeout = settings.timing.effect
    return GateSpinnaker(
        GateClient(settings.gate_url, headers=sign_in.headers, renew=sign_in.renew, tls=sign_in.tls, timeout=timeout)
    )


def ways_of(settings: Settings) -> str:
    """How we sign in to Gate, in words."""
    return str(make_sign_in(settings, Lazy(lambda: make_secrets(settings))).ways)


def make_sign_in(settings: Settings, secrets: Secrets) -> Any:
    from downwind.adapters.gate_sign_in import GoogleTokens, SignIn

    return SignIn(settings, secrets, GoogleTokens())


def make_groups(settings: Settings) -> Any:
    """The local world has no groups: there `operators` lists addresses."""
    if settings.local:
        from downwind.adapters.memory_groups import MemoryGroups

        return MemoryGroups()
    from downwind.adapters.groups import CloudIdentityGroups

    return CloudIdentityGroups(timeout=settings.timing.effect)


def make_callers(settings: Settings) -> Any:
    """Tells whose token an order brings. Raises Misconfigured where nothing says for whom tokens have to be."""
    from downwind.adapters.identity import GCLOUD, Callers

    if settings.operate_url is None:
        raise Misconfigured("operate does not know its own address", fix="set DOWNWIND_OPERATE_URL")
    return Callers([settings.operate_url, GCLOUD], settings.certs_url, checked=settings.senders_checked_by is not None)


def make_tokens(settings: Settings) -> Callable[[str | None], None] | None:
    """Checks the Authorization header of a Pub/Sub push; None where the local world has switched it off."""
    if settings.push_audience is None or settings.push_email is None:
        return None
    audience, email = settings.push_audience, settings.push_email

    def checker() -> Any:
        from downwind.adapters.identity import IdTokens

        return IdTokens(audience, email, settings.certs_url, checked=settings.senders_checked_by is not None)

    tokens = Lazy(checker)

    def verify(authorization: str | None) -> None:
        tokens.verify(authorization)  # loads cryptography, which a call by hand on a laptop does without

    return verify
