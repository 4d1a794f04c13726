"""What each service of Spinnaker reads: the rendered files against what a real one was run with, and against its sources."""

import re
from fnmatch import fnmatchcase
from typing import Any

import pytest
import yaml
from tests.contract.chart.helm import HERE, SETS, configurations, golden

KEYS: dict[str, dict[str, str]] = yaml.safe_load((HERE / "keys.yaml").read_text())
POOL = {
    "sql.enabled": True,
    "sql.connectionPools.default.dialect": "POSTGRES",
    "sql.connectionPools.default.password": "${sql-password}",
    "sql.migration.password": "${sql-password}",
}
# Gate, Orca, Echo and Front50 2026.2.3 were run with these; the rest is read in the sources that keys.yaml names.
RUN_WITH: dict[str, dict[str, Any]] = {
    "shared": {
        "services.fiat.enabled": False,
        "services.orca.baseUrl": "http://spinnaker-orca:8083",
        "services.front50.baseUrl": "http://spinnaker-front50:8080",
        "services.clouddriver.baseUrl": "http://spinnaker-clouddriver:7002",
        "services.echo.baseUrl": "http://spinnaker-echo:8089",
        "services.keel.enabled": False,
        "services.kayenta.enabled": False,
        "spinnaker.extensibility.enable-default-repositories": False,
    },
    "gate": {
        "server.port": 8084,
        "redis.connection": "${redis-connection}",
        "spring.session.store-type": "redis",
        "spring.mvc.pathmatch.matching-strategy": "ANT_PATH_MATCHER",
        "security.webhooks.default-auth-enabled": True,
    },
    "orca": {
        **POOL,
        "server.port": 8083,
        "redis.connection": "${redis-connection}",
        "executionRepository.sql.enabled": True,
        "executionRepository.redis.enabled": False,
        "monitor.activeExecutions.redis": False,
        "keiko.queue.fillExecutorEachCycle": True,
        "keiko.queue.redis.queueName": "orca.task.queue",
        "keiko.queue.redis.deadLetterQueueName": "orca.task.deadLetterQueue",
        "oort.baseUrl": "${services.clouddriver.baseUrl}",
        "mort.baseUrl": "${services.clouddriver.baseUrl}",
        "kato.baseUrl": "${services.clouddriver.baseUrl}",
        "default.bake.account": "default",
        "default.securityGroups": [],
        "default.vpc.securityGroups": [],
        "resilience4j.retry.instances.default.maxRetryAttempts": 2,
        "resilience4j.retry.instances.default.waitDuration": "10s",
    },
    "echo": {
        "server.port": 8089,
        "front50.baseUrl": "${services.front50.baseUrl}",
        "orca.enabled": True,
        "orca.baseUrl": "${services.orca.baseUrl}",
        "pubsub.enabled": False,
        "redis.enabled": False,
        "stats.enabled": False,
        "webhooks.artifacts.sources": [],
        "spring.freemarker.enabled": False,
        "management.health.mail.enabled": False,
        "resilience4j.circuitbreaker.instances.telemetry.registerHealthIndicator": False,
    },
    "front50": {**POOL, "server.port": 8080, "spinnaker.redis.enabled": False},
    "clouddriver": {
        **POOL,
        "server.port": 7002,
        "redis.enabled": False,
        "sql.cache.enabled": True,
        "sql.scheduler.enabled": True,
        "sql.taskRepository.enabled": True,
        "kubernetes.enabled": True,
    },
    "igor": {"server.port": 8088, "redis.connection": "${redis-connection}"},
    "rosco": {"server.port": 8087, "redis.connection": "${redis-connection}"},
}


@pytest.fixture(params=SETS)
def found(request: pytest.FixtureRequest) -> dict[str, dict[str, Any]]:
    return configurations(golden(request.param))


def service_of(where: str) -> str:
    """`echo-scheduler/echo.yml` is read by echo, and spinnaker.yml by all."""
    file = where.partition("/")[2].removesuffix(".yml").removesuffix("-local")
    return "shared" if file == "spinnaker" else file


def test_every_service_has_what_a_real_one_was_run_with(found: dict[str, dict[str, Any]]) -> None:
    for where, properties in found.items():
        if where.endswith("-local.yml"):
            continue
        wanted = RUN_WITH[service_of(where)]
        assert {key: properties.get(key) for key in wanted} == wanted, where


def test_no_property_is_set_that_no_service_reads(found: dict[str, dict[str, Any]]) -> None:
    for where, properties in found.items():
        known = KEYS[service_of(where)]
        for key in properties:
            plain = re.sub(r"\[\d+\]", "[]", key)
            assert any(matches(plain, pattern) for pattern in known), f"{where}: {key} is not in keys.yaml"


def matches(key: str, pattern: str) -> bool:
    return key == pattern or ("*" in pattern and fnmatchcase(key.replace("[]", ""), pattern))


def test_every_secret_is_a_file_that_the_pod_has(found: dict[str, dict[str, Any]]) -> None:
    """A placeholder is a file of the mounted tree, or another property of the same service; none holds a value itself."""
    for where, properties in found.items():
        component = where.partition("/")[0]
        shared = found[f"{component}/spinnaker.yml"]
        for key, value in properties.items():
            for name in re.findall(r"\$\{([^}]+)\}", str(value)):
                assert name in shared or name in files(component), f"{where}: {key}"
            if re.search(r"(?i)(password|secret|token)$", key):
                assert re.fullmatch(r"\$\{[a-z0-9-]+\}", str(value)), f"{where}: {key}"


def files(component: str) -> set[str]:
    """Under /opt/spinnaker/secrets, in any set."""
    found = set()
    for name in SETS:
        for each in golden(name):
            if each["kind"] == "Deployment" and each["metadata"]["name"] == f"spinnaker-{component}":
                for volume in each["spec"]["template"]["spec"]["volumes"]:
                    if volume["name"] == "secrets":
                        for source in volume.get("projected", {}).get("sources", []):
                            found |= {item["path"] for item in source["secret"]["items"]}
    return found


def test_one_echo_alone_has_the_clock() -> None:
    for name in SETS:
        found = configurations(golden(name))
        clocks = [where for where, properties in found.items() if properties.get("scheduler.enabled") is True]
        assert clocks == (["echo/echo.yml"] if name.startswith("trial") else ["echo-scheduler/echo.yml"])


def test_signing_in_is_on_in_every_way_there_is() -> None:
    ways = ("security.basicform.enabled", "google.iap.enabled")
    oauth2 = "spring.security.oauth2.client.registration.google.client-id"
    for name in SETS:
        gate = configurations(golden(name))["gate/gate.yml"]
        assert sum(gate.get(way) is True for way in ways) + (oauth2 in gate) == 1, name


def test_echo_tells_downwind_with_the_token_and_keeps_quiet_otherwise() -> None:
    told = configurations(golden("trial-for-downwind"))["echo/echo.yml"]
    assert told["rest.enabled"] is True
    assert told["rest.endpoints[0].wrap"] is False
    assert told["rest.endpoints[0].url"] == "http://receive.downwind.svc:8080/"
    assert told["rest.endpoints[0].headers.Authorization"] == "Bearer ${downwind-token}"
    assert configurations(golden("trial"))["echo/echo.yml"]["rest.enabled"] is False
