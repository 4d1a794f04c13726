"""Cloud Build v1. Runs go through google-cloud-build; builds are read as the REST JSON that notifications carry too,
since the client's types lose fields and turn unknown statuses into 0."""

from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from downwind.errors import Misconfigured, Refused, TransientError, UnknownOutcome
from downwind.ports import Trigger

_GOOGLE = "https://cloudbuild.googleapis.com"
_PAGES = 10
_FIX = "check this service's identity and its rights (roles/cloudbuild.builds.editor in the trigger's project)"


class CloudBuilds:
    """Implements `ports.Builds`. With `endpoint` (http://127.0.0.1:PORT, the local world) no credentials are used."""

    def __init__(self, endpoint: str | None = None, timeout: float = 20) -> None:
        import google.auth
        import google.auth.exceptions
        from google.auth.credentials import AnonymousCredentials
        from google.auth.transport.requests import AuthorizedSession
        from google.cloud.devtools import cloudbuild_v1

        self._timeout = timeout
        self._endpoint = (endpoint or _GOOGLE).rstrip("/")
        if endpoint is None:
            try:
                credentials, _project = google.auth.default(scopes=["https://www.googleapis.com/auth/cloud-platform"])
            except google.auth.exceptions.DefaultCredentialsError as error:
                raise Misconfigured("there are no credentials for Cloud Build", fix=_FIX) from error
        else:
            credentials = AnonymousCredentials()
        self._types = cloudbuild_v1
        self._client = cloudbuild_v1.CloudBuildClient(
            credentials=credentials,
            transport="rest",
            client_options={"api_endpoint": self._endpoint} if endpoint else None,
        )
        # Any: google-auth is typed in part.
        self._session: Any = AuthorizedSession(credentials)

    def close(self) -> None:
        self._session.close()
        self._client.transport.close()

    def trigger(self, name: str) -> Trigger:
        project, location, short = split_trigger_name(name)
        found = self._read(f"projects/{_safe(project)}/locations/{_safe(location)}/triggers/{_safe(short)}", {})
        if found is None:
            raise Refused(
                f"no trigger {name}", field="build.trigger", fix="gcloud builds triggers list --region=REGION"
            )
        return Trigger(id=str(found["id"]), name=str(found["name"]), project=project, location=location)

    def run(self, trigger: Trigger, commit: str) -> str:
        from google.api_core import exceptions

        # `name` alone: with project_id or trigger_id set, the client takes the non-regional route.
        request = self._types.RunBuildTriggerRequest(
            name=f"projects/{trigger.project}/locations/{trigger.location}/triggers/{trigger.id}",
            source=self._types.RepoSource(commit_sha=commit),
        )
        try:
            # Counted for connecting and for the answer each.
            operation = self._client.run_build_trigger(request=request, retry=None, timeout=self._timeout / 2)
            build = str(operation.metadata.build.id)
        except exceptions.TooManyRequests as error:
            raise TransientError("Cloud Build asks for patience (429)") from error
        except (exceptions.Unauthorized, exceptions.Forbidden) as error:
            raise Misconfigured(
                f"Cloud Build does not let us run {trigger.name} ({int(error.code or 0)})", fix=_FIX
            ) from error
        except exceptions.ClientError as error:
            raise Refused(f"Cloud Build does not run {trigger.name} at {commit}: {error.message}") from error
        except Exception as error:  # 5xx, time-outs and broken connections come as several libraries' classes
            raise UnknownOutcome(f"no answer from Cloud Build: {type(error).__name__}") from error
        if not build:
            raise UnknownOutcome("Cloud Build's answer names no build")
        return build

    def get(self, project: str, location: str, build: str) -> Mapping[str, Any] | None:
        return self._read(f"projects/{_safe(project)}/locations/{_safe(location)}/builds/{_safe(build)}", {})

    def find(self, trigger: Trigger, commit: str) -> Sequence[Mapping[str, Any]]:
        path = f"projects/{_safe(trigger.project)}/locations/{_safe(trigger.location)}/builds"
        query = {"filter": f'trigger_id="{trigger.id}" AND substitutions.COMMIT_SHA="{commit}"', "pageSize": "100"}
        found: list[Mapping[str, Any]] = []
        for _ in range(_PAGES):
            page = self._read(path, query)
            if page is None:
                raise Refused(f"no project {trigger.project} or location {trigger.location} in Cloud Build")
            # The filter is only to spare pages: what it let through is compared here.
            found += [
                build
                for build in page.get("builds", [])
                if build.get("buildTriggerId") == trigger.id
                and build.get("substitutions", {}).get("COMMIT_SHA") == commit
            ]
            if not page.get("nextPageToken"):
                return sorted(found, key=lambda build: str(build.get("createTime", "")), reverse=True)
            query = {**query, "pageToken": page["nextPageToken"]}
        raise TransientError(f"more than {_PAGES} pages of builds of {trigger.name} at {commit}")

    def _read(self, path: str, query: Mapping[str, str]) -> dict[str, Any] | None:
        """None: 404."""
        import google.auth.exceptions
        import requests

        try:
            answer = self._session.get(
                f"{self._endpoint}/v1/{path}", params=query, timeout=self._timeout, max_allowed_time=self._timeout
            )
            body = answer.json() if answer.status_code == 200 else None
        except (requests.RequestException, google.auth.exceptions.GoogleAuthError, ValueError) as error:
            raise TransientError(f"no answer from Cloud Build: {type(error).__name__}") from error
        if answer.status_code == 404:
            return None
        if answer.status_code in {408, 429} or answer.status_code >= 500:
            raise TransientError(f"Cloud Build answered {answer.status_code}")
        if answer.status_code in {401, 403}:
            raise Misconfigured(f"Cloud Build answered {answer.status_code} for {path}", fix=_FIX)
        if not isinstance(body, dict):
            raise Refused(f"Cloud Build answered {answer.status_code} for {path}")
        return body


def split_trigger_name(name: str) -> tuple[str, str, str]:
    """(project, location, name or id) of `projects/P/locations/L/triggers/T`; Refused for anything else."""
    match name.split("/"):
        case ["projects", project, "locations", location, "triggers", trigger] if project and location and trigger:
            return project, location, trigger
    raise Refused(
        f"{name} is not the full name of a trigger",
        field="build.trigger",
        fix="write projects/PROJECT/locations/LOCATION/triggers/NAME",
    )


def _safe(part: str) -> str:
    return quote(part, safe=":")
