"""The REST face, the tokens that pushes carry, and what the broker says of itself."""

import json
import urllib.error
import urllib.request
from base64 import b64encode
from typing import Any

import pytest
from google.auth.transport.requests import Request
from google.oauth2 import id_token


def call(url: str, method: str = "GET", body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"}, method=method)
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


@pytest.fixture
def rest(world: Any, broker: Any) -> str:
    """The base of one project's addresses; Google's emulator has REST on its one port."""
    root = broker.rest_url if world.name == "broker" else f"http://{world.host}"
    return f"{root}/v1/projects/{world.project}"


def test_a_message_goes_through_rest_alone(rest: str, world: Any) -> None:
    assert call(f"{rest}/topics/rest-topic", "PUT", {})[0] == 200
    topic = world.topic("rest-topic")
    status, made = call(f"{rest}/subscriptions/rest-sub", "PUT", {"topic": topic, "ackDeadlineSeconds": 20})
    assert (status, made["topic"], made["ackDeadlineSeconds"]) == (200, topic, 20)
    message = {"data": b64encode(b"hello").decode(), "attributes": {"a": "1"}}
    status, published = call(f"{rest}/topics/rest-topic:publish", "POST", {"messages": [message]})
    assert status == 200
    status, pulled = call(f"{rest}/subscriptions/rest-sub:pull", "POST", {"maxMessages": 10, "returnImmediately": True})
    (received,) = pulled["receivedMessages"]
    assert received["message"]["messageId"] == published["messageIds"][0]
    assert (received["message"]["data"], received["message"]["attributes"]) == (message["data"], {"a": "1"})
    assert call(f"{rest}/subscriptions/rest-sub:acknowledge", "POST", {"ackIds": [received["ackId"]]}) == (200, {})
    assert call(f"{rest}/topics/rest-topic")[1]["name"] == topic
    assert call(f"{rest}/subscriptions/rest-sub")[1]["topic"] == topic


def test_rest_errors_have_googles_shape(rest: str) -> None:
    status, body = call(f"{rest}/topics/absent")
    assert (status, body["error"]["code"], body["error"]["status"]) == (404, 404, "NOT_FOUND")
    assert call(f"{rest}/topics/rest-topic", "PUT", {})[0] == 200
    status, body = call(f"{rest}/topics/rest-topic", "PUT", {})
    assert (status, body["error"]["status"]) == (409, "ALREADY_EXISTS")
    status, body = call(f"{rest}/topics/rest-topic:publish", "POST", {"messages": [{}]})
    assert (status, body["error"]["status"]) == (400, "INVALID_ARGUMENT")


def test_json_that_is_no_request_is_refused(rest: str) -> None:
    assert call(f"{rest}/topics/rest-topic", "PUT", {})[0] == 200
    assert call(f"{rest}/topics/rest-topic:publish", "POST", {"massages": []})[0] == 400


def test_a_call_that_is_not_there_is_refused_loudly(broker: Any) -> None:
    status, body = call(f"{broker.rest_url}/v1/projects/p/schemas")
    assert (status, body["error"]["status"]) == (501, "UNIMPLEMENTED")


def test_health_answers(broker: Any) -> None:
    assert call(f"{broker.rest_url}/-/health") == (200, {"part": "pubsub"})


@pytest.mark.parametrize("audience", [None, "https://downwind.example"])
def test_a_push_carries_a_token_that_googles_verifier_takes(
    broker: Any, own_world: Any, endpoint: Any, audience: str | None
) -> None:
    own_world.create_topic()
    token = {
        "service_account_email": "pusher@demo.iam.gserviceaccount.com",
        **({"audience": audience} if audience else {}),
    }
    own_world.subscribe(push_config={"push_endpoint": endpoint.url, "oidc_token": token})
    own_world.publish(b"x")
    scheme, sent = endpoint.next().headers["Authorization"].split()
    claims = id_token.verify_token(sent, Request(), audience or endpoint.url, broker.certs_url)
    assert scheme == "Bearer"
    assert (claims["email"], claims["email_verified"]) == ("pusher@demo.iam.gserviceaccount.com", True)
    assert claims["iss"] == "https://accounts.google.com"
    assert claims["azp"] == claims["sub"]
    assert claims["exp"] - claims["iat"] == 3600


def test_a_push_without_a_token_has_no_authorization(own_world: Any, endpoint: Any) -> None:
    own_world.create_topic()
    own_world.subscribe(push_config={"push_endpoint": endpoint.url})
    own_world.publish(b"x")
    assert endpoint.next().headers["Authorization"] is None


def test_a_token_is_issued_on_request(broker: Any) -> None:
    status, body = call(
        f"{broker.rest_url}/-/token", "POST", {"audience": "https://a.example", "email": "ops@example.com"}
    )
    claims = id_token.verify_token(body["token"], Request(), "https://a.example", broker.certs_url)
    assert (status, claims["email"]) == (200, "ops@example.com")
    with pytest.raises(ValueError, match="audience"):
        id_token.verify_token(body["token"], Request(), "https://b.example", broker.certs_url)
    assert call(f"{broker.rest_url}/-/token", "POST", {"audience": "https://a.example"})[0] == 400


def test_stats_count_each_subscription(broker: Any, own_world: Any) -> None:
    own_world.create_topic()
    name = own_world.subscribe()
    for number in range(3):
        own_world.publish(str(number).encode())
    own_world.ack(*own_world.pull())
    own_world.pull()
    stats = call(f"{broker.rest_url}/-/stats")[1]["subscriptions"][name]
    assert stats == {"backlog": 2, "in_flight": 1, "delivered": 1, "dead_lettered": 0}
