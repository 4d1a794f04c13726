"""What a push has to come to, one after the other, and where to look when it does not."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """`steps`: of `downwind why`; one of them ends the stage. `look`: where to look when it does not come."""

    what: str
    steps: frozenset[str]
    seconds: float
    look: str
    environment: bool = False
    ends: str = ""
    """What the name of the proving object ends with."""
    blocked: bool = True
    """Ends with a release that is blocked; an image is announced all the same."""
    own: bool = False
    """Only what this proof's own message came to counts: the git host may tell of the same push."""


STAGES = (
    Stage(
        what="the push is recorded",
        steps=frozenset({"recorded"}),
        own=True,
        seconds=120,
        look="the topic repo-pushes, its subscription, and the log of on-push",
    ),
    Stage(
        what="the build succeeds",
        steps=frozenset({"build"}),
        ends="/winner",
        seconds=1800,
        look="the build's own log, the trigger of the catalog, the topic cloud-builds and the log of on-build",
    ),
    Stage(
        what="the image is known",
        steps=frozenset({"image"}),
        blocked=False,
        seconds=300,
        look="the topic gcr and the log of on-image",
    ),
    Stage(
        what="the release is complete",
        steps=frozenset({"complete"}),
        seconds=300,
        look="the log of on-build and on-tick",
    ),
    Stage(
        what="the bundle is written",
        steps=frozenset({"rendered"}),
        environment=True,
        seconds=300,
        look="the log of on-build, and downwind render",
    ),
    Stage(
        what="the rollout is an entry of the log",
        steps=frozenset({"admitted"}),
        environment=True,
        seconds=300,
        look="downwind status",
    ),
    Stage(
        what="the rollout is triggered",
        steps=frozenset({"triggered"}),
        environment=True,
        seconds=300,
        look="Gate, its token, and downwind spinnaker verify",
    ),
    Stage(
        what="the rollout succeeds",
        steps=frozenset({"outcome"}),
        environment=True,
        seconds=1800,
        look="the execution in Spinnaker",
    ),
)
TRIGGERED = next(each for each in STAGES if "triggered" in each.steps)
