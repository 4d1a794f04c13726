"""Cloud Build's REST API v1 on loopback, as google-cloud-build calls it; regional paths and the old ones without location
(they mean `global`)."""

import base64
import json
import uuid
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from werkzeug.wrappers import Request, Response

from downwind.local.builds.api_error import ApiError
from downwind.local.builds.failure import BuildFailure
from downwind.local.builds.filters import read_filter
from downwind.local.builds.launch import Launcher
from downwind.local.builds.logbook import now
from downwind.local.builds.runner import Runner
from downwind.local.builds.store import FINISHED, BuildStore
from downwind.local.builds.triggers import check_trigger, source_of
from downwind.local.http import Handler, HttpPart, json_response
from downwind.local.outbox import Outbox

_TYPE = "type.googleapis.com/google.devtools.cloudbuild.v1."


class BuildsServer(HttpPart):
    """State in `data`. `git_url` is where the repositories are (`GIT_URL/NAME.git`). Statuses go to topic `cloud-builds`."""

    name = "builds"

    def __init__(
        self,
        data: Path,
        *,
        port: int = 0,
        outbox: Outbox,
        pubsub_url: str,
        project: str,
        git_url: str,
        project_number: str = "123456789012",
        workers: int = 2,
        mirror: str | None = None,
    ) -> None:
        super().__init__(port)
        self._outbox = outbox
        self._pubsub_url = pubsub_url
        self._project = project
        self._number = project_number
        self._store = BuildStore(data / "builds.sqlite")

        def address(repository: str) -> str:
            return f"{git_url}/{repository}.git"

        self._launcher = Launcher(
            data,
            project=project,
            number=project_number,
            address=address,
            log_url=lambda build: f"{self.url}/-/logs/{build}",
        )
        self._runner = Runner(
            data, self._store, announce=self._announce, address=address, workers=workers, mirror=mirror
        )

    def routes(self) -> Iterable[tuple[tuple[str, ...], str, Handler]]:
        yield ("POST",), "/-/push", self._api(self._push)
        yield ("GET",), "/-/logs/<build>", self._api(self._log)
        for root in ("/v1/projects/<project>/locations/<location>", "/v1/projects/<project>"):
            yield ("GET",), f"{root}/triggers", self._api(self._list_triggers)
            yield ("POST",), f"{root}/triggers", self._api(self._create_trigger)
            yield ("GET",), f"{root}/triggers/<trigger>", self._api(self._get_trigger)
            yield ("PATCH",), f"{root}/triggers/<trigger>", self._api(self._patch_trigger)
            yield ("DELETE",), f"{root}/triggers/<trigger>", self._api(self._delete_trigger)
            yield ("POST",), f"{root}/triggers/<trigger>:run", self._api(self._run_trigger)
            yield ("GET",), f"{root}/builds", self._api(self._list_builds)
            yield ("POST",), f"{root}/builds", self._api(self._create_build)
            yield ("GET",), f"{root}/builds/<build>", self._api(self._get_build)
            yield ("POST",), f"{root}/builds/<build>:cancel", self._api(self._cancel_build)
            yield ("GET",), f"{root}/operations/<operation>", self._api(self._get_operation)
        yield ("GET",), "/v1/operations/build/<project>/<operation>", self._api(self._get_operation)

    def start(self) -> None:
        for body in self._store.unannounced():
            self._publish(body)
        for location, build in self._store.unfinished():  # before a request can add to them
            self._runner.submit(location, build)
        self._runner.start()
        super().start()

    def stop(self) -> None:
        super().stop()
        self._runner.stop()
        self._store.close()

    # -- triggers -------------------------------------------------------------------------------------------------

    def _create_trigger(self, request: Request, location: str) -> Any:
        body = check_trigger(_json(request)) | {"id": str(uuid.uuid4()), "createTime": now()}
        body["resourceName"] = f"projects/{self._project}/locations/{location}/triggers/{body['id']}"
        if not self._store.add_trigger(location, body):
            raise ApiError(409, f"trigger {body['name']} already exists")
        return body

    def _list_triggers(self, _request: Request, location: str) -> Any:
        return {"triggers": [body for _, body in self._store.triggers(location)]}

    def _get_trigger(self, _request: Request, location: str, trigger: str) -> dict[str, Any]:
        found = self._store.trigger(location, trigger)
        if found is None:
            raise ApiError(404, f"trigger {trigger} not found in {location}")
        return found

    def _patch_trigger(self, request: Request, location: str, trigger: str) -> Any:
        found = self._get_trigger(request, location, trigger)
        fixed = {key: found[key] for key in ("id", "createTime", "resourceName")}
        body = check_trigger(_json(request)) | fixed
        self._store.replace_trigger(body)
        return body

    def _delete_trigger(self, request: Request, location: str, trigger: str) -> Any:
        self._store.delete_trigger(self._get_trigger(request, location, trigger)["id"])
        return {}

    def _run_trigger(self, request: Request, location: str, trigger: str) -> Any:
        found = self._get_trigger(request, location, trigger)
        wanted = _json(request)
        wanted = wanted.get("source", wanted)  # the old path wraps it
        commit, ref = self._launcher.commit(source_of(found).repository, wanted)
        body = self._launcher.from_trigger(location, found, commit, ref, wanted.get("substitutions") or {})
        return self._queue(location, body)

    def _push(self, request: Request) -> Any:
        """The git server's own word of a push; it may come twice."""
        push = _json(request)
        started = []
        for update in push["updates"]:
            for location, trigger in self._store.triggers():
                ref, commit = update["ref"], update.get("commit")
                if commit is None or trigger.get("disabled") or not source_of(trigger).matches(push["repository"], ref):
                    continue
                key = f"{trigger['id']} {push['repository']} {push['number']} {ref} {update['new']}"
                if self._store.seen(key):
                    continue
                try:
                    body = self._launcher.from_trigger(location, trigger, commit, ref, {})
                except BuildFailure as failure:
                    body = self._launcher.failed(location, trigger, commit, ref, str(failure))
                if self._store.add_build(location, body, key):
                    started.append(body["id"])
                    self._publish(body)
                    if body["status"] not in FINISHED:
                        self._runner.submit(location, body["id"])
        return {"builds": started}

    # -- builds ---------------------------------------------------------------------------------------------------

    def _create_build(self, request: Request, location: str) -> Any:
        return self._queue(location, self._launcher.from_request(location, _json(request)))

    def _get_build(self, _request: Request, location: str, build: str) -> dict[str, Any]:
        found = self._store.build(location, build)
        if found is None:
            raise ApiError(404, f"build {build} not found in {location}")
        return found

    def _list_builds(self, request: Request, location: str) -> Any:
        fits = read_filter(request.args.get("filter", ""))
        found = [body for body in self._store.builds(location) if fits(body)]
        start = request.args.get("pageToken", 0, type=int)
        size = min(request.args.get("pageSize", 0, type=int) or 100, 1000)
        page: dict[str, Any] = {"builds": found[start : start + size]}
        return page | ({"nextPageToken": str(start + size)} if start + size < len(found) else {})

    def _cancel_build(self, request: Request, location: str, build: str) -> Any:
        body = self._get_build(request, location, build)
        if body["status"] in FINISHED:
            raise ApiError(400, f"build {build} has ended: {body['status']}", "FAILED_PRECONDITION")
        return self._runner.cancel(location, build)

    def _get_operation(self, request: Request, location: str, operation: str) -> Any:
        try:
            build = base64.urlsafe_b64decode(operation).decode()
        except ValueError:
            raise ApiError(404, f"no operation {operation}") from None
        return self._operation(location, self._get_build(request, location, build))

    def _queue(self, location: str, body: dict[str, Any]) -> dict[str, Any]:
        self._store.add_build(location, body)
        self._publish(body)
        answer = self._operation(location, body)
        self._runner.submit(location, body["id"])
        return answer

    def _operation(self, location: str, body: dict[str, Any]) -> dict[str, Any]:
        key = base64.urlsafe_b64encode(body["id"].encode()).decode()
        place = (
            f"operations/build/{self._project}"
            if location == "global"
            else (f"projects/{self._project}/locations/{location}/operations")
        )
        answer = {"name": f"{place}/{key}", "metadata": {"@type": f"{_TYPE}BuildOperationMetadata", "build": body}}
        if body["status"] not in FINISHED:
            return answer
        if body["status"] == "SUCCESS":
            return answer | {"done": True, "response": {"@type": f"{_TYPE}Build", **body}}
        return answer | {"done": True, "error": {"code": 2, "message": f"Build failed; status {body['status']}"}}

    def _log(self, _request: Request, build: str) -> Any:
        path = self._runner.log_path(Path(build).name)
        if not path.is_file():
            raise ApiError(404, f"no log of {build}")
        return Response(path.read_bytes(), mimetype="text/plain; charset=utf-8")

    # -- announcements --------------------------------------------------------------------------------------------

    def _announce(self, body: dict[str, Any]) -> None:
        """Saved first, marked once promised: after a kill in between it is published again, never lost."""
        self._store.save(body, announced=False)
        self._publish(body)

    def _publish(self, body: dict[str, Any]) -> None:
        attributes = {"buildId": body["id"], "status": body["status"]}
        self._outbox.publish(self._pubsub_url, self._project, "cloud-builds", json.dumps(body).encode(), attributes)
        self._store.save(body, announced=True)

    def _api(self, handler: Callable[..., Any]) -> Handler:
        def answer(request: Request, **parts: str) -> Response:
            try:
                project = parts.pop("project", self._project)
                if project not in {self._project, self._number}:
                    raise ApiError(404, f"project {project} is not {self._project}")
                if request.path.startswith("/v1/"):
                    parts.setdefault("location", "global")
                body = handler(request, **parts)
            except ApiError as error:
                return json_response(error.body, error.code)
            except BuildFailure as failure:
                return json_response(ApiError(400, str(failure), "FAILED_PRECONDITION").body, 400)
            return body if isinstance(body, Response) else json_response(body)

        return answer


def _json(request: Request) -> dict[str, Any]:
    try:
        body = json.loads(request.get_data() or b"{}")
    except ValueError:
        raise ApiError(400, "the body is no JSON") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body is no JSON object")
    return body
