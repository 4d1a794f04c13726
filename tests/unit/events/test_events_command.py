"""`downwind events read`: its outputs, its exit codes, and that no file makes it show a traceback."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result

from downwind.cli.events_command import events_group

Payload = Callable[[str], dict[str, Any]]


def run(*arguments: str | Path, stdin: bytes | None = None) -> Result:
    return CliRunner().invoke(events_group, ["read", *map(str, arguments)], input=stdin)


def test_it_reads_standard_input() -> None:
    result = run("-", "--source", "image", "-o", "json", stdin=b'{"action": "DELETE", "tag": "h:5000/i:1"}')
    image = {"name": "h:5000/i", "digest": None, "tag": "1"}
    assert json.loads(result.output) == {"facts": [{"kind": "image", "action": "DELETE", "images": [image]}]}
    assert result.exit_code == 0


def test_yaml_says_the_same_as_json(corpus: Path) -> None:
    for name in ("build/success.json", "push/csr-several-refs.json", "request/unknown-field.json"):
        options = (corpus / name, "--source", name.split("/")[0], "-o")
        assert yaml.safe_load(run(*options, "yaml").output) == json.loads(run(*options, "json").output)


def test_a_table_shows_a_fact_line_by_line(corpus: Path) -> None:
    result = run(corpus / "push/csr-several-refs.json", "--source", "push")
    assert "REF         refs/heads/main\n" in result.output
    assert "DELETED     yes\n" in result.output
    assert result.output.count("KIND        push") == 3
    assert (
        "IMAGES      h:5000/i:1@sha256:"
        in run(
            "-", "--source", "image", stdin=b'{"action": "INSERT", "digest": "h:5000/i:1@sha256:' + b"a" * 64 + b'"}'
        ).output
    )


def test_a_table_shows_why_not(corpus: Path) -> None:
    ignored = run(corpus / "push/csr-repository-created.json", "--source", "push")
    assert (ignored.exit_code, ignored.output.split()[0]) == (0, "IGNORED")
    refused = run(corpus / "request/unknown-field.json", "--source", "request")
    assert (refused.exit_code, "FIX         did you mean environment?" in refused.output) == (1, True)


def test_a_table_holds_no_characters_that_act_on_the_terminal() -> None:
    body = {
        "name": "projects/p/repos/r\u202e",
        "refUpdateEvent": {"refUpdates": {"refs/tags/ü\u202e": {"newId": "1" * 40}}},
    }
    result = run("-", "--source", "push", stdin=json.dumps(body).encode())
    assert "refs/tags/ü?" in result.output
    assert "\u202e" not in result.output


def test_why_of_several_lines_stays_on_one(corpus: Path) -> None:
    result = run(corpus / "request/deploy.json", "--source", "request")
    assert "WHY         CHG-1234: approved by the change board\n" in result.output


@pytest.mark.parametrize("form", ["lines", "json"])
def test_headers_may_be_lines_or_json(corpus: Path, tmp_path: Path, form: str) -> None:
    headers = {"X-GitHub-Event": "push", "X-GitHub-Delivery": "d:1"}
    lines = "HTTP/1.1 200 OK\n\n" + "".join(f"{name}: {text}\n" for name, text in headers.items())
    file = tmp_path / "headers"
    file.write_text(lines if form == "lines" else json.dumps(headers))
    result = run(corpus / "webhook/github-push.json", "--source", "webhook", "--headers", file, "-o", "json")
    assert json.loads(result.output)["facts"][0]["repository"] == "https://github.com/acme/shop.git"


def test_headers_are_attributes_of_a_bare_payload(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("buildId: b-1\nstatus: SUCCESS\n")
    (fact,) = json.loads(run("-", "--source", "build", "--headers", file, "-o", "json", stdin=b"").output)["facts"]
    assert (fact["build"], fact["whole"]) == ("b-1", False)


def test_a_webhook_without_headers_is_refused_with_what_to_add(corpus: Path) -> None:
    result = run(corpus / "webhook/github-push.json", "--source", "webhook")
    assert (result.exit_code, "--headers FILE" in result.output) == (1, True)


def test_a_webhook_of_an_unknown_sender_is_told_who_is_known(tmp_path: Path) -> None:
    file = tmp_path / "headers"
    file.write_text("X-Gitlab-Event: Push Hook\n")
    refused = json.loads(run("-", "--source", "webhook", "--headers", file, "-o", "json", stdin=b"{}").output)
    assert refused["refused"] == "X-GitHub-Event is missing, and the body is no event of Spinnaker's Echo"


@pytest.mark.parametrize("name", ["github-push", "github-ping"])
def test_a_webhook_given_as_a_notification_is_told_where_it_belongs(corpus: Path, name: str) -> None:
    result = run(corpus / f"webhook/{name}.json", "--source", "push", "-o", "json")
    assert (result.exit_code, "goes to `receive`" in json.loads(result.output).get("fix", "")) == (1, True)


def test_a_message_in_a_cloud_event_of_base64_is_taken_out(corpus: Path) -> None:
    message = {"message": {"data": base64.b64encode((corpus / "image/insert-digest.json").read_bytes()).decode()}}
    event = {
        "specversion": "1.0",
        "id": "1",
        "source": "//pubsub.googleapis.com/projects/p/topics/gcr",
        "type": "google.cloud.pubsub.topic.v1.messagePublished",
        "data_base64": base64.b64encode(json.dumps(message).encode()).decode(),
    }
    result = run("-", "--source", "image", "-o", "json", stdin=json.dumps(event).encode())
    assert json.loads(result.output)["facts"][0]["action"] == "INSERT"


def test_an_empty_message_is_said_to_be_empty() -> None:
    assert json.loads(run("-", "--source", "push", "-o", "json", stdin=b"").output) == {"refused": "the body is empty"}


def test_the_help_says_that_no_signature_is_checked() -> None:
    assert "NOT checked here" in run("--help").output


@pytest.mark.parametrize(
    "arguments",
    [
        ("absent.json", "--source", "push"),
        (".", "--source", "push"),
        ("-",),
        ("-", "--source", "other"),
        ("-", "--source", "push", "-o", "xml"),
        ("-", "--source", "push", "--headers", "absent"),
    ],
)
def test_wrong_usage_is_2(arguments: tuple[str, ...]) -> None:
    result = run(*arguments, stdin=b"{}")
    assert result.exit_code == 2
    assert "Traceback" not in result.output


@pytest.mark.parametrize("headers", [b"{", b'{"a": 1}', b"\xff"])
def test_headers_that_are_none_are_wrong_usage(tmp_path: Path, headers: bytes) -> None:
    file = tmp_path / "headers"
    file.write_bytes(headers)
    assert run("-", "--source", "push", "--headers", file, stdin=b"{}").exit_code == 2


def test_a_file_that_cannot_be_read_is_wrong_usage() -> None:
    assert run("/proc/self/mem", "--source", "push").exit_code == 2


@pytest.mark.parametrize("source", ["push", "webhook", "build", "image", "request", "execution"])
@pytest.mark.parametrize("data", [b"", b"\xff\x00", b"[" * 100_000, b" " * (15 * 1024 * 1024), b'"\\ud800"', b"null"])
def test_whatever_the_file_holds_it_is_refused_without_a_traceback(source: str, data: bytes) -> None:
    result = run("-", "--source", source, "-o", "json", stdin=data)
    assert result.exit_code == 1
    assert isinstance(result.exception, SystemExit)
    assert json.loads(result.output)["refused"]
