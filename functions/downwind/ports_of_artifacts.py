"""Where what is deployed comes from, beside repositories and registries, as ports: the same rules as in `ports`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from downwind.model.engines import PinnedChart
from downwind.model.policy import SigningKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """How a builder says that it made an image. `builder` is its id; `sources`: (repository, commit) of what it took;
    `signed_by`: the id of the key whose signature under exactly this holds, None: none was asked for, or none holds."""

    builder: str
    sources: tuple[tuple[str, str], ...] = ()
    signed_by: str | None = None


class Attestations(Protocol):
    """What builders have attested of images, kept where only they can write."""

    def provenance(self, name: str, digest: str, keys: Sequence[SigningKey] = ()) -> Sequence[Provenance]:
        """Of exactly this image; empty: nothing yet. `keys`: whose signatures count. Refused: one of them is no key."""


class Charts(Protocol):
    """Repositories of packed charts, on the public internet only. Nobody's credentials are sent."""

    def archive(self, chart: PinnedChart, redirects: Sequence[str]) -> bytes:
        """The .tgz whose SHA-256 is the chart's, of at most 10 MiB; it has not been opened. `redirects`: hosts besides its own
        to which its address may lead on, by https.

        Refused: it is not there for everybody, has another SHA-256, is larger, or leads elsewhere: to another host, or to an
        address that is not of the public internet."""
