"""A token that the cluster's API server takes no more: another one is asked for, once."""

import contextlib
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from google.oauth2.credentials import Credentials
from tests.bootstrap.site import MakeSite

from downwind.bootstrap.cloud import Cloud
from downwind.bootstrap.gcloud import make_session
from downwind.bootstrap.kubernetes import locate
from downwind.errors import Misconfigured


@contextlib.contextmanager
def takes_only(token: str, seen: list[str | None]) -> Iterator[str]:
    """An API server that has nothing, and answers 401 to any other token."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            seen.append(self.headers.get("Authorization"))
            self.send_response(404 if seen[-1] == f"Bearer {token}" else 401)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("given", ["another", "a third"])
def test_a_token_that_the_cluster_takes_no_more_is_followed_by_one_other(make_site: MakeSite, given: str) -> None:
    """How long one lives is not known here: a long apply may outlive it, and the cluster may be the first to say so."""
    site = make_site("standard", applied=True)
    seen: list[str | None] = []
    ends = datetime.now(UTC).replace(tzinfo=None) + timedelta(hours=1)
    with takes_only("another", seen) as address:
        environment = {**site.environment, "CLOUDSDK_API_ENDPOINT_OVERRIDES_KUBERNETES": address}
        cloud = Cloud(make_session(environment), environment)
        cloud.session.credentials = Credentials(
            token="fake-token", expiry=ends, refresh_handler=lambda *_, **__: (given, ends)
        )
        api = locate(site.plan.values, cloud, {})
        assert api is not None
        assert api.call("GET", "api/v1/namespaces/shop", {})[0] == (404 if given == "another" else 401)
    assert seen == ["Bearer fake-token", f"Bearer {given}"]


def test_a_token_that_cannot_be_renewed_is_the_credentials_fault(make_site: MakeSite) -> None:
    site = make_site("standard", applied=True)
    with takes_only("another", []) as address:
        environment = {**site.environment, "CLOUDSDK_API_ENDPOINT_OVERRIDES_KUBERNETES": address}
        api = locate(site.plan.values, Cloud(make_session(environment), environment), {})
        assert api is not None
        with pytest.raises(Misconfigured, match="Google takes no credentials"):
            api.call("GET", "api/v1/namespaces/shop", {})
