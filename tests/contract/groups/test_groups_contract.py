"""What `ports.Groups` promises, on the twin and on the adapter in front of Cloud Identity's REST shapes.

The shapes are from its reference (v1 groups.lookup, groups.memberships.checkTransitiveMembership); none was asked.
"""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from werkzeug.wrappers import Request, Response

from downwind.adapters.groups import CloudIdentityGroups
from downwind.adapters.memory_groups import MemoryGroups
from downwind.errors import Misconfigured, TransientError
from downwind.local.http import HttpPart, json_response

GROUP, INNER, ANN, EVE = "oncall@acme.example", "night@acme.example", "ann@acme.example", "eve@acme.example"
MEMBERS = {GROUP: frozenset({INNER, "bob@acme.example"}), INNER: frozenset({ANN, GROUP})}


class CloudIdentity(HttpPart):
    """Group names are their place in `MEMBERS`; `status` answers everything with an error, `body` with these bytes."""

    name = "cloud-identity"

    def __init__(self) -> None:
        self.status: int | None = None
        self.body: bytes | None = None
        self.twin = MemoryGroups(MEMBERS)
        super().__init__()

    def routes(self) -> Any:
        yield ("GET",), "/v1/groups:lookup", self._lookup
        yield ("GET",), "/v1/groups/<name>/memberships:checkTransitiveMembership", self._check

    def _lookup(self, request: Request) -> Any:
        if self.status:
            return json_response({"error": {"code": self.status}}, self.status)
        if self.body is not None:
            return Response(self.body)
        key = request.args["groupKey.id"]
        if key not in MEMBERS:
            return json_response({"error": {"code": 403, "status": "PERMISSION_DENIED"}}, 403)
        return json_response({"name": f"groups/{list(MEMBERS).index(key)}abc"})

    def _check(self, request: Request, name: str) -> Any:
        head, email, tail = request.args["query"].split("'")
        assert (head, tail) == ("member_key_id == ", "")
        has = self.twin.has(list(MEMBERS)[int(name[0])], email)
        return json_response({"hasMembership": True} if has else {})


@pytest.fixture
def service() -> Iterator[CloudIdentity]:
    part = CloudIdentity()
    part.start()
    yield part
    part.stop()


@pytest.fixture(params=["twin", "adapter"])
def groups(request: pytest.FixtureRequest, service: CloudIdentity) -> Any:
    if request.param == "twin":
        return MemoryGroups(MEMBERS)
    return CloudIdentityGroups(session=requests.Session(), url=f"{service.url}/v1/")


@pytest.mark.parametrize(
    ("group", "email", "has"), [(GROUP, "bob@acme.example", True), (GROUP, ANN, True), (GROUP, EVE, False)]
)
def test_members_of_a_group_in_the_group_are_members(groups: Any, group: str, email: str, has: bool) -> None:
    assert groups.has(group, email) is has


def test_a_group_that_cannot_be_read_is_said(groups: Any) -> None:
    with pytest.raises(Misconfigured, match="unknown@acme"):
        groups.has("unknown@acme.example", ANN)


@pytest.mark.parametrize(("status", "error"), [(500, TransientError), (429, TransientError), (403, Misconfigured)])
def test_an_answer_that_is_none_is_an_error(service: CloudIdentity, status: int, error: type[Exception]) -> None:
    service.status = status
    with pytest.raises(error):
        CloudIdentityGroups(session=requests.Session(), url=f"{service.url}/v1/").has(GROUP, ANN)


@pytest.mark.parametrize("body", [b"", b"<html>", b"[]", b'"groups/1"', b"{}"])
def test_an_answer_that_is_no_group_is_no_member_and_asked_again(service: CloudIdentity, body: bytes) -> None:
    service.body = body
    with pytest.raises(TransientError, match=r"answered what is no JSON|gave no name"):
        CloudIdentityGroups(session=requests.Session(), url=f"{service.url}/v1/").has(GROUP, ANN)


def test_nobody_answering_is_transient() -> None:
    groups = CloudIdentityGroups(session=requests.Session(), url="http://127.0.0.1:1/v1/")
    with pytest.raises(TransientError, match="did not answer"):
        groups.has(GROUP, ANN)


@pytest.mark.parametrize("email", ["ann@acme.example' || 'a'=='a", "", "ann", "ann@acme.example'"])
def test_what_is_no_address_is_no_member_and_nobody_is_asked(email: str) -> None:
    assert not CloudIdentityGroups(session=object(), url="http://127.0.0.1:1/").has(GROUP, email)
