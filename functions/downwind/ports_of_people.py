"""What the command line alone needs of the world, beside `ports`: the same rules."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from downwind.model.live import Live


class Spinnaker(Protocol):
    """What people ask of Gate; only the command line does. Documents are Gate's own JSON. What is not there: None or Refused."""

    def version(self) -> str | None:
        """None: it does not say."""

    def user(self) -> Mapping[str, Any]:
        """Who Gate takes us for."""

    def accounts(self) -> Sequence[Mapping[str, Any]]: ...
    def artifact_accounts(self) -> Sequence[Mapping[str, Any]]: ...
    def fetch(self, artifact: Mapping[str, Any]) -> int:
        """Reads one artifact as a stage would; its size in bytes. Refused, in Clouddriver's words, when it cannot be read."""

    def applications(self) -> Sequence[Mapping[str, Any]]: ...
    def application(self, name: str) -> Mapping[str, Any] | None:
        """Its attributes."""

    def save_application(self, attributes: Mapping[str, Any]) -> None:
        """Creates or changes it (`name` and `email` are needed); waits until Spinnaker has done it."""

    def delete_application(self, name: str) -> None:
        """Its saved pipelines stay: Spinnaker does not ask for them."""

    def executions(
        self, application: str, statuses: Sequence[str] = (), limit: int = 10
    ) -> Sequence[Mapping[str, Any]]:
        """Newest first, at most `limit` of each saved pipeline, without the stages' contexts."""

    def execution(self, execution_id: str) -> Mapping[str, Any] | None: ...
    def control(self, execution_id: str, verb: str, reason: str | None = None) -> None:
        """`verb`: cancel, pause, resume or delete. One that has ended is left as it is, but for delete."""

    def restart(self, execution_id: str, stage_id: str) -> None:
        """Runs that stage again, and what follows it; not what came before."""

    def live(self, application: str) -> Live: ...
