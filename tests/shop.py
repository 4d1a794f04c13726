"""One application, shop, on the real handlers and the twins of all ports: a day of pushes, builds and judgments by hand."""

import json
from collections.abc import Mapping
from typing import Any, cast

import yaml
from tests.application import CATALOG, DEPLOYMENT, IMAGE, REPOSITORY, SOURCES, TRIGGER, digest_for, pipeline

from downwind.adapters.memory import MemoryWorld
from downwind.events.sources import PARSERS
from downwind.model.event import Message, Order
from downwind.model.read_catalog import read_application
from downwind.perform import applications, record
from downwind.perform.catalog import apply
from downwind.perform.operate import Answer, operate
from downwind.perform.tick import tick
from downwind.reconcile import names
from downwind.reconcile.facts import decode_body


class Shop:
    """Words for what people and systems do. Messages go to the handlers as Pub/Sub would bring them."""

    IMAGE = IMAGE

    def __init__(self, memory: MemoryWorld, catalog: str = CATALOG) -> None:
        self.memory = memory
        self.world = memory.world
        self.catalog = catalog
        self.sent: list[tuple[str, Message]] = []
        self.orders = 0
        self.trigger = memory.builds.add_trigger(TRIGGER)
        memory.repository.create(REPOSITORY)
        self.save_pipelines("shop", "staging")
        self.save_pipelines("shop", "production")
        self.apply(catalog)

    def save_pipelines(self, application: str, environment: str) -> None:
        """Production's has a judgment."""
        judged = environment == "production"
        document = pipeline(f"deploy-{environment}", environment, judged=judged, application=application)
        self.memory.pipelines.save(document)

    def second(self, name: str) -> None:
        """Another application like this one: of the same repository, trigger and images."""
        for environment in ("staging", "production"):
            self.save_pipelines(name, environment)
        text = self.catalog.replace("name: shop\n", f"name: {name}\n")
        self.apply(text.replace("application: shop,", f"application: {name},"))

    def apply(self, catalog: str) -> list[str]:
        return apply(self.world, read_application(yaml.safe_load(catalog)), catalog.encode())

    def send(self, kind: str, body: Any, attributes: Mapping[str, str] | None = None, *, id: str | None = None) -> str:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        message = Message(
            id=id or f"m{len(self.sent) + 1}",
            data=data,
            attributes=dict(attributes or {}),
            topic=SOURCES[kind],
            published=self.memory.clock().isoformat(),
        )
        self.sent.append((kind, message))
        return self.deliver(kind, message)

    def deliver(self, kind: str, message: Message) -> str:
        self.memory.clock.advance(0.5)
        return record.handle(self.world, PARSERS[kind], SOURCES[kind], message)

    def tick(self, times: int = 1) -> None:
        for _ in range(times):
            self.memory.clock.advance(self.memory.timing.tick)
            tick(self.world, self.memory.clock())

    def commit(
        self, ref: str = "refs/heads/main", deployment: str = DEPLOYMENT, **files: bytes
    ) -> tuple[str | None, str]:
        """Commits and moves the ref; (before, after)."""
        tip = self.memory.repository.tips(REPOSITORY).get(ref)
        content = {
            "deploy/staging/shop.yaml": deployment.encode(),
            "deploy/production/shop.yaml": deployment.encode(),
            "version": str(len(self.sent)).encode(),
            **files,
        }
        return (tip.object if tip else None), self.memory.repository.commit(REPOSITORY, ref, content)

    def announce(
        self, before: str | None, after: str | None, ref: str = "refs/heads/main", *, id: str | None = None
    ) -> str:
        """A Cloud Source Repositories notification."""
        return self.announce_all({ref: (before, after)}, id=id)

    def announce_all(self, moved: Mapping[str, tuple[str | None, str | None]], *, id: str | None = None) -> str:
        """One notification of several refs: (before, after) by ref."""
        updates = {}
        for ref, (before, after) in moved.items():
            update = {"refName": ref, "updateType": "UPDATE_FAST_FORWARD"}
            update |= {"oldId": before} if before else {"updateType": "CREATE"}
            updates[ref] = update | ({"newId": after} if after else {"updateType": "DELETE"})
        body = {
            "name": "projects/acme/repos/shop",
            "url": "https://source.developers.google.com/p/acme/r/shop",
            "eventTime": "2026-11-24T09:00:00.000000Z",
            "refUpdateEvent": {"email": "dev@acme.example", "refUpdates": updates},
        }
        return self.send("push", body, id=id)

    def push(self, ref: str = "refs/heads/main", **more: Any) -> str:
        before, after = self.commit(ref, **more)
        self.announce(before, after, ref)
        return after

    def build(self, commit: str, status: str = "SUCCESS", *, digest: str | None = None, listed: bool = True) -> str:
        """One build of the commit, announced at its end; its image is in the registry by then."""
        build = self.memory.builds.start(self.trigger, commit, "refs/heads/main")
        return self.tell(build, commit, status, digest=digest, listed=listed)

    def tell(
        self, build: str, commit: str, status: str = "SUCCESS", *, digest: str | None = None, listed: bool = True
    ) -> str:
        """A build comes to that status, and Cloud Build says so."""
        images = {f"{IMAGE}:{commit}": digest or digest_for(commit)}
        return self.tell_images(build, images if status == "SUCCESS" and listed else {}, status)

    def tell_images(self, build: str, images: Mapping[str, str], status: str = "SUCCESS") -> str:
        for tagged, digest in images.items():
            self.memory.registry.put(tagged.rpartition(":")[0], digest)
        body = self.memory.builds.set(build, status, images or None)
        self.send("build", body, {"buildId": build, "status": status})
        return build

    def image(self, commit: str, *, action: str = "INSERT", digest: str | None = None, tag: str | None = None) -> str:
        """A registry's notification of the commit's image, tagged by the commit."""
        body = {
            "action": action,
            "digest": f"{IMAGE}@{digest or digest_for(commit)}",
            "tag": f"{IMAGE}:{tag or commit}",
        }
        return self.send("image", body)

    def request(self, verb: str, environment: str, *, id: str | None = None, **more: Any) -> str:
        body = {"id": id or f"r{len(self.sent) + 1}", "verb": verb, "application": "shop", "environment": environment}
        return self.send("request", body | more)

    def order(
        self, verb: str, environment: str, *, who: str = "sre@acme.example", dry_run: bool = False, **more: Any
    ) -> Answer:
        """What an operator orders by `operate`, once it is known that this person may."""
        self.memory.clock.advance(0.5)
        self.orders += 1
        about = {"id": f"o{self.orders}", "why": "because", **more}
        (registered,) = applications.read(self.world.catalog, ["shop"])
        request = Order(verb=cast(Any, verb), application="shop", environment=environment, who=who, **about)
        return operate(self.world, registered, request, self.memory.clock(), dry_run=dry_run)

    def executions(self, environment: str) -> list[dict[str, Any]]:
        """Gate's JSON, oldest first."""
        return [
            document
            for document in self.memory.pipelines.executions.values()
            if document["trigger"]["downwind"]["environment"] == environment
        ]

    def finish(self, execution: dict[str, Any]) -> None:
        """Runs to the next judgment or the end, and Echo says so."""
        self.memory.pipelines.advance(execution["id"])
        self.echo(execution)

    def echo(self, execution: dict[str, Any]) -> str:
        return self.send("execution", b"", {"source": "spinnaker", "execution": execution["id"]})

    def judge(self, execution: dict[str, Any], decision: str = "continue") -> None:
        pipelines = self.memory.pipelines
        found = pipelines.execution(execution["id"])
        assert found is not None
        pipelines.judge(found, decision)
        self.echo(execution)

    def facts(self, prefix: str) -> dict[str, Mapping[str, Any]]:
        """Bodies by the rest of their names."""
        listed = self.memory.ledger.list(prefix)
        read = self.memory.ledger.read_all([each.name for each in listed])
        return {each.name.removeprefix(prefix): decode_body(each.name, each.data or b"") for each in read if each}

    def rollouts(self, environment: str) -> dict[str, Mapping[str, Any]]:
        """Every fact of every rollout."""
        return self.facts(names.rollouts("shop", environment))

    def outcomes(self, environment: str) -> list[tuple[int, str]]:
        """(sequence, status), oldest first; a retry has an outcome of its own."""
        found = [body for body in self.rollouts(environment).values() if body["kind"] == "outcome"]
        found.sort(key=lambda body: (body["n"], body["attempt"]))
        return [(body["n"], body["status"]) for body in found]

    def entries(self, environment: str, application: str = "shop") -> list[Mapping[str, Any]]:
        """Of the environment's log, oldest first."""
        return sorted(self.facts(names.log(application, environment)).values(), key=lambda body: body["n"])

    def log(self, environment: str) -> list[str]:
        """Commits of the entries, oldest first."""
        return [body["commit"] for body in self.entries(environment)]

    def completed(self, commit: str) -> Mapping[str, Any]:
        return self.facts(names.release("shop", commit))["completed"]

    def blocked(self, commit: str) -> list[Mapping[str, Any]]:
        found = self.facts(names.release("shop", commit))
        return [body for name, body in found.items() if name.startswith("blocked.")]

    def events(self) -> list[Mapping[str, Any]]:
        """What became of each message."""
        listed = [each.name for each in self.memory.ledger.list("event/")]
        ends = [name for name in listed if name.endswith(("/recorded", "/ignored", "/parked.0"))]
        return [self.facts(name)[""] for name in ends if "/announced." not in name]

    def open(self) -> list[str]:
        return [each.name for each in self.memory.work.list("open/")]
