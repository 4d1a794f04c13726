"""Cloud Build in memory: the twin of `adapters.cloud_build`. Builds end only when a test says so."""

import copy
import threading
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from downwind.adapters.cloud_build import split_trigger_name
from downwind.adapters.memory_faults import Faults
from downwind.errors import Refused, UnknownOutcome
from downwind.ports import Trigger

_EPOCH = datetime(2026, 11, 20, 9, 0, tzinfo=UTC)


class MemoryBuilds(Faults):
    """Implements `ports.Builds`. Build ids are uuids by count, times are made up, so that runs repeat exactly.

    `runs` lists (trigger id, commit) of every run that took effect.
    """

    def __init__(self, project_number: str = "123456789012") -> None:
        super().__init__()
        self._number = project_number
        self._triggers: dict[tuple[str, str], Trigger] = {}
        self._builds: dict[tuple[str, str, str], dict[str, Any]] = {}
        self._mutex = threading.RLock()
        self._lose = 0
        self.repository: str | None = None
        """The address that builds of triggers say they were made from; None: they don't say."""
        self.runs: list[tuple[str, str]] = []

    # -- what others do -------------------------------------------------------------------------------------------

    def add_trigger(self, name: str, *, trigger_id: str | None = None) -> Trigger:
        """A trigger of that full name, `projects/P/locations/L/triggers/NAME`."""
        project, location, short = split_trigger_name(name)
        with self._mutex:
            found = Trigger(
                id=trigger_id or str(uuid.UUID(int=len(self._triggers) + 1)),
                name=short,
                project=project,
                location=location,
            )
            self._triggers[location, short] = found
            return found

    def lose_answers(self, times: int = 1) -> None:
        """The next runs take effect, but the caller gets UnknownOutcome."""
        self._lose = times

    def start(self, trigger: Trigger, commit: str, ref: str | None = None) -> str:
        """What Cloud Build does by itself on a push."""
        with self._mutex:
            build = str(uuid.UUID(int=(0xB << 120) + len(self._builds) + 1))
            substitutions = {"COMMIT_SHA": commit, "REVISION_ID": commit, "SHORT_SHA": commit[:7]}
            substitutions["TRIGGER_NAME"] = trigger.name
            if ref is not None:
                kind, short = ref.removeprefix("refs/").split("/", 1)
                substitutions |= {"TAG_NAME" if kind == "tags" else "BRANCH_NAME": short, "REF_NAME": short}
            self._builds[trigger.project, trigger.location, build] = {
                "name": f"projects/{self._number}/locations/{trigger.location}/builds/{build}",
                "id": build,
                "projectId": trigger.project,
                "status": "QUEUED",
                "createTime": _time(len(self._builds)),
                "buildTriggerId": trigger.id,
                "substitutions": substitutions,
            }
            if self.repository is not None:
                source = {"gitSource": {"url": self.repository, "revision": commit}}
                self._builds[trigger.project, trigger.location, build]["source"] = source
            return build

    def set(self, build: str, status: str, images: Mapping[str, str] | None = None) -> dict[str, Any]:
        """Moves a build to `status`; `images` (name with tag → digest) become results.images. The whole Build."""
        with self._mutex:
            found = next(body for key, body in self._builds.items() if key[2] == build)
            found["status"] = status
            if images:
                found["images"] = list(images)
                found["results"] = {"images": [{"name": name, "digest": digest} for name, digest in images.items()]}
            return copy.deepcopy(found)

    # -- ports.Builds ---------------------------------------------------------------------------------------------

    def trigger(self, name: str) -> Trigger:
        self.check("trigger")
        project, location, wanted = split_trigger_name(name)
        with self._mutex:
            for (place, short), found in self._triggers.items():
                if (found.project, place) == (project, location) and wanted in {short, found.id}:
                    return found
        raise Refused(f"no trigger {name}", field="build.trigger")

    def run(self, trigger: Trigger, commit: str) -> str:
        self.check("run")
        with self._mutex:
            if trigger not in self._triggers.values():
                raise Refused(f"no trigger {trigger.id}", field="build.trigger")
            build = self.start(trigger, commit)
            self.runs.append((trigger.id, commit))
            if self._lose:
                self._lose -= 1
                raise UnknownOutcome(f"trigger {trigger.name} was run and the answer never came")
            return build

    def get(self, project: str, location: str, build: str) -> Mapping[str, Any] | None:
        self.check("get")
        with self._mutex:
            return copy.deepcopy(self._builds.get((project, location, build)))

    def find(self, trigger: Trigger, commit: str) -> Sequence[Mapping[str, Any]]:
        self.check("find")
        with self._mutex:
            found = [
                copy.deepcopy(body)
                for (project, location, _), body in self._builds.items()
                if (project, location) == (trigger.project, trigger.location)
                and body["buildTriggerId"] == trigger.id
                and body["substitutions"]["COMMIT_SHA"] == commit
            ]
        return found[::-1]


def _time(seconds: int) -> str:
    return (_EPOCH + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%S.000000Z")
