"""An installation of one configuration at the fake of Google's APIs, and a run of it that ends where a test says."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.bootstrap.fake.server import FakeGoogle
from tests.bootstrap.fake.state import State

from downwind.bootstrap.apply import Applying, Outcome, steps_now
from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.destroy import steps_back
from downwind.bootstrap.gcloud import Writer, make_session
from downwind.bootstrap.plan import Plan
from downwind.bootstrap.write import Write


class Killed(BaseException):
    """As a process ends: nothing catches it."""


class Counting(Writer):
    """Ends the run after `limit` writes."""

    def __init__(self, cloud: Cloud, limit: int | None = None) -> None:
        super().__init__(cloud, None)
        self.limit = limit
        self.done = 0

    def do(self, write: Write) -> None:
        super().do(write)
        if write.request.path.endswith(":generateServiceIdentity"):
            return  # it shows nowhere before a right names it, so each run asks for it again; that is harmless
        self.done += 1
        if self.done == self.limit:
            raise Killed


@dataclass
class Site:
    """An installation of one configuration at the fake. `told` are the lines of the last run."""

    google: FakeGoogle
    environment: dict[str, str]
    plan: Plan
    told: list[str]

    def cloud(self) -> Cloud:
        return Cloud(make_session(self.environment), self.environment, package=b"the source", sleep=lambda _: None)

    def apply(self, limit: int | None = None, **more: Any) -> Outcome:
        self.told.clear()
        cloud = self.cloud()
        applying = Applying(
            self.plan, Counting(cloud, limit), self.told.append, parallel=1, sleep=lambda _: None, **more
        )
        return applying.run(steps_now(self.plan, cloud))

    def due(self) -> list[str]:
        return [f"{each.action} {each.resource.key}" for each in steps_now(self.plan, self.cloud()) if each.due]

    def put_secrets_in(self) -> None:
        """What people do between two runs: text for the secrets that are theirs."""
        project = self.plan.values.project
        for secret in self.plan.resources:
            if secret.kind == "secret" and not secret.generated:
                name = f"projects/{project}/secrets/{secret.name}/versions/1"
                self.google.state.resources["secretmanager", name] = {"name": name, "state": "ENABLED"}

    def destroy(self, *, with_data: bool) -> None:
        cloud = self.cloud()
        writer = Writer(cloud, None)
        for step in steps_back(self.plan, cloud, with_data=with_data):
            for write in step.writes:
                writer.take_away(write)


MakeSite = Callable[..., Site]
applied_states: dict[str, State] = {}
