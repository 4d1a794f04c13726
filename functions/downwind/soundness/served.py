"""The environment of the catalog that a pipeline serves, as far as its checks need it."""

from collections.abc import Sequence
from dataclasses import dataclass

from downwind.model.catalog import Application, Environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Served:
    """The environment that a pipeline serves. `bundles`: the bucket's bare name. `account` None: any, but one for all stages.
    `artifact_account` None: any."""

    application: str
    environment: str
    namespace: str
    bundles: str
    parts: Sequence[str]
    account: str | None = None
    artifact_account: str | None = None

    @property
    def owner(self) -> str:
        return f"{self.application}/{self.environment}"


def served_by(application: Application, environment: Environment, bundles_bucket: str) -> Served:
    return Served(
        application=application.name,
        environment=environment.name,
        namespace=environment.namespace,
        bundles=bundles_bucket,
        parts=tuple(application.manifests_of(environment).paths(environment.name)),
        account=environment.account,
        artifact_account=environment.artifact_account,
    )
