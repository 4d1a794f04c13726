"""What the design says that somebody may not: each right that is absent, in all three plans. Each line is tried with the right
planted, so that none is a line that cannot fail."""

import re
from collections.abc import Mapping
from dataclasses import dataclass

import pytest
from tests.bootstrap.conftest import NAMES, make_plan
from tests.bootstrap.test_access import (
    ACT,
    CREATE,
    INVOKE,
    PUBLISH,
    READ_IMAGE,
    SECRET,
    SIGN,
    SUBSCRIBE,
    USE,
    VIEW,
    WRITE_IMAGE,
    matrix,
)

Matrix = dict[str, dict[str, set[str]]]
FUNCTIONS = frozenset({"receive", "reconcile", "tick", "operate"})
REPLACING = frozenset({USE, "roles/storage.objectAdmin", "roles/storage.admin", "roles/storage.legacyBucketOwner"})
WRITING = REPLACING | {CREATE, "roles/storage.legacyBucketWriter"}
READING = frozenset({VIEW, USE, "roles/storage.objectAdmin", "roles/storage.admin", "roles/storage.legacyBucketReader"})
BUILDING = r".*/roles/.*StartBuilds|roles/cloudbuild\.builds\..*"


@dataclass(frozen=True, kw_only=True)
class Absent:
    """`who` may not hold a role of `roles` on a resource like `place`; None: nobody may, except `but`. `plant` is what
    the line would have to find."""

    says: str
    place: str
    plant: tuple[str, str, str]
    roles: frozenset[str] | str = ".*"
    who: frozenset[str] | None = None
    but: frozenset[str] = frozenset()

    def breaches(self, found: Matrix) -> list[tuple[str, str, str]]:
        return [
            (who, place, role)
            for who, rights in found.items()
            if who not in self.but and (self.who is None or who in self.who)
            for place, roles in rights.items()
            if re.fullmatch(self.place, place)
            for role in sorted(roles)
            if (role in self.roles if isinstance(self.roles, frozenset) else re.fullmatch(self.roles, role))
        ]


def only(*names: str) -> frozenset[str]:
    return frozenset(names)


ABSENT = [
    Absent(
        says="facts: create, get, list; no right to overwrite",
        place="bucket/ledger",
        roles=REPLACING,
        plant=("reconcile", "bucket/ledger", USE),
    ),
    Absent(
        says="bundles: write-once", place="bucket/bundles", roles=REPLACING, plant=("operate", "bucket/bundles", USE)
    ),
    Absent(
        says="catalog: functions only read",
        place="bucket/catalog",
        roles=WRITING,
        plant=("operate", "bucket/catalog", CREATE),
    ),
    Absent(
        says="work: only the tick deletes",
        place="bucket/work",
        roles=REPLACING,
        but=only("tick"),
        plant=("reconcile", "bucket/work", USE),
    ),
    Absent(
        says="receive publishes only: it reads and writes no bucket",
        place="bucket/.*",
        who=only("receive"),
        plant=("receive", "bucket/catalog", VIEW),
    ),
    Absent(
        says="receive publishes only: it starts no build, acts as nobody, asks no registry",
        place="account/.*|registry/.*|project/.*",
        who=only("receive"),
        plant=("receive", "account/build", ACT),
    ),
    Absent(
        says="receive publishes what came: it orders nothing and announces nothing",
        place=r"topic/(?!repo-pushes$|executions$).*",
        who=only("receive"),
        plant=("receive", "topic/rollout-requests", PUBLISH),
    ),
    Absent(
        says="only receive says that a repository was pushed to, and a proof after a deployment that its canary was",
        place="topic/repo-pushes",
        but=only("receive", "deploy"),
        plant=("build", "topic/repo-pushes", PUBLISH),
    ),
    Absent(
        says="only receive says that an execution ended",
        place="topic/executions",
        but=only("receive"),
        plant=("deploy", "topic/executions", PUBLISH),
    ),
    Absent(
        says="who deploys writes no fact, bundle, marker or catalog file",
        place="bucket/(ledger|bundles|work|catalog)",
        roles=WRITING,
        who=only("deploy"),
        plant=("deploy", "bucket/ledger", CREATE),
    ),
    Absent(
        says="who deploys acts as no account but those of the functions, and calls none of them",
        place="account/(push|build|nodes|spinnaker|deploy)|function/.*|secret/gate.*",
        who=only("deploy"),
        plant=("deploy", "account/build", ACT),
    ),
    Absent(
        says="nobody of ours makes up builds, images or minutes: Google's services publish those",
        place="topic/(cloud-builds|gcr|ticks)",
        plant=("reconcile", "topic/cloud-builds", PUBLISH),
    ),
    Absent(
        says="requests come from whom the configuration names, not from the installation itself",
        place="topic/rollout-requests",
        who=only("receive", "reconcile", "tick", "operate", "push", "build", "package", "spinnaker", "nodes"),
        plant=("operate", "topic/rollout-requests", PUBLISH),
    ),
    Absent(
        says="Pub/Sub alone calls the handlers, as the push account",
        place="function/on-.*",
        but=only("push"),
        plant=("spinnaker", "function/on-tick", INVOKE),
    ),
    Absent(
        says="no function calls another one",
        place="function/.*",
        who=FUNCTIONS,
        plant=("tick", "function/operate", INVOKE),
    ),
    Absent(
        says="the push account calls, and nothing else",
        place="(?!function/).*",
        who=only("push"),
        plant=("push", "bucket/ledger", VIEW),
    ),
    Absent(
        says="builds and nodes touch no bucket of ours but the source, no topic, no function, no secret",
        place="(?!bucket/source$)bucket/.*|topic/.*|subscription/.*|function/.*|secret/.*",
        who=only("build", "package", "nodes"),
        plant=("build", "bucket/bundles", CREATE),
    ),
    Absent(
        says="images are written by builds alone",
        place="registry/images",
        roles=only(WRITE_IMAGE, "roles/artifactregistry.repoAdmin", "roles/artifactregistry.admin"),
        but=only("build"),
        plant=("package", "registry/images", WRITE_IMAGE),
    ),
    Absent(
        says="the functions' images are nobody's but the buildpack's and the deployment's",
        place="registry/functions",
        but=only("package", "deploy"),
        plant=("build", "registry/functions", READ_IMAGE),
    ),
    Absent(
        says="Spinnaker reads bundles, and neither facts nor markers nor the catalog",
        place="bucket/(ledger|work|catalog|source)",
        who=only("spinnaker"),
        plant=("spinnaker", "bucket/ledger", VIEW),
    ),
    Absent(
        says="Spinnaker writes no bundle",
        place="bucket/bundles",
        roles=WRITING,
        who=only("spinnaker"),
        plant=("spinnaker", "bucket/bundles", CREATE),
    ),
    Absent(
        says="Spinnaker publishes nothing and calls nobody as an account: Echo's bearer secret is what it has",
        place="topic/.*|subscription/.*|function/.*|secret/.*|project/.*",
        who=only("spinnaker"),
        plant=("spinnaker", "topic/executions", PUBLISH),
    ),
    Absent(
        says="Gate's token is for those who talk to Gate",
        place="secret/gate-token",
        but=only("reconcile", "tick", "operate"),
        plant=("receive", "secret/gate-token", SECRET),
    ),
    Absent(
        says="the texts by which senders are known are for receive, and for a proof that signs a webhook",
        place="secret/(echo|webhooks)",
        but=only("receive", "deploy"),
        plant=("reconcile", "secret/echo", SECRET),
    ),
    Absent(
        says="who plans looks which versions a secret has; our accounts are told one, and may list or add none",
        place="secret/.*|project/.*",
        roles=r"roles/secretmanager\.(?!secretAccessor$).*",
        plant=("deploy", "secret/gate-token", "roles/secretmanager.viewer"),
    ),
    Absent(
        says="dead letters are the tick's; nobody else pulls",
        place="subscription/dead-letters",
        but=only("tick"),
        plant=("operate", "subscription/dead-letters", SUBSCRIBE),
    ),
    Absent(
        says="who starts a build acts as the build account, and nobody acts as any other but to deploy",
        place="account/(?!build$).*",
        roles=only(ACT),
        but=only("deploy"),
        plant=("reconcile", "account/tick", ACT),
    ),
    Absent(
        says="nobody signs tokens but Pub/Sub, of the push account",
        place="account/(?!push$).*",
        roles=only(SIGN, "roles/iam.serviceAccountOpenIdTokenCreator"),
        plant=("tick", "account/reconcile", SIGN),
    ),
    Absent(
        says="nobody makes a key",
        place=".*",
        roles=r"roles/iam\.serviceAccount(Key)?Admin",
        plant=("operate", "account/push", "roles/iam.serviceAccountKeyAdmin"),
    ),
    Absent(
        says="builds are started by those who record it; nobody changes or cancels one",
        place="project/.*",
        roles=BUILDING,
        but=only("reconcile", "tick", "operate"),
        plant=("build", "project/acme-delivery", "roles/cloudbuild.builds.editor"),
    ),
    Absent(
        says="nobody administers anything, or sets a policy",
        place=".*",
        roles=r"roles/(owner|editor|viewer|.*[aA]dmin|iam\.securityAdmin)",
        plant=("tick", "bucket/work", "roles/storage.objectAdmin"),
    ),
    Absent(
        says="the door without a token is receive's alone",
        place="(?!function/receive$).*",
        who=only("allUsers", "allAuthenticatedUsers"),
        plant=("allUsers", "function/operate", INVOKE),
    ),
]


@pytest.mark.parametrize("name", NAMES)
def test_no_plan_gives_a_right_that_the_design_says_is_absent(name: str) -> None:
    found = matrix(make_plan(name))
    assert {absent.says: breaches for absent in ABSENT if (breaches := absent.breaches(found))} == {}


@pytest.mark.parametrize("absent", ABSENT, ids=lambda each: each.says)
def test_each_of_them_would_be_found(absent: Absent) -> None:
    found = matrix(make_plan("standard"))
    who, place, role = absent.plant
    found.setdefault(who, {}).setdefault(place, set()).add(role)
    assert absent.plant in absent.breaches(found)


@pytest.mark.parametrize("name", NAMES)
def test_every_grant_is_of_a_role_and_a_place_that_is_known(name: str) -> None:
    """All bindings, read: a role that nobody thought of here is one to think about first."""
    plan = make_plan(name)
    known = {
        "bucket": {CREATE, VIEW, USE},
        "registry": {READ_IMAGE, WRITE_IMAGE},
        "topic": {PUBLISH},
        "subscription": {SUBSCRIBE},
        "function": {INVOKE},
        "account": {ACT, SIGN, "roles/iam.workloadIdentityUser"},
        "secret": {SECRET},
        "connection": {"roles/cloudbuild.readTokenAccessor"},
        "project": {
            *(f"projects/{plan.values.project}/roles/{plan.values.resource_name('role', each)}" for each in OWN),
            "roles/logging.logWriter",
            "roles/container.defaultNodeServiceAccount",
            VIEW,
        },
    }
    count = 0
    for resource in plan.resources:
        for grant in resource.grants:
            kind = resource.id.partition("/")[0]
            assert grant.role in known[kind], (resource.id, grant.role)
            assert (grant.condition is not None) == (kind == "project" and grant.role == VIEW), resource.id
            assert all(":" in member or member == "allUsers" for member in grant.members)
            count += len(grant.members)
    assert count > 30


OWN: Mapping[str, frozenset[str]] = {
    "start-builds": frozenset({"cloudbuild.builds.create", "cloudbuild.builds.get", "cloudbuild.builds.list"}),
    "deploy": frozenset(
        {
            *("cloudfunctions.functions.get", "cloudfunctions.functions.update", "cloudfunctions.operations.get"),
            *("run.operations.get", "run.services.get", "run.services.getIamPolicy", "run.services.update"),
        }
    ),
}
"""What our own roles let one do: neither makes, deletes, cancels or sets a policy."""


@pytest.mark.parametrize("name", NAMES)
def test_the_roles_of_ours_hold_these_permissions_and_no_more(name: str) -> None:
    roles = {
        each.id: frozenset(each.body["includedPermissions"])
        for each in make_plan(name).resources
        if each.kind == "role"
    }
    assert roles.items() <= OWN.items()
