"""Attestations as they were at most half a minute ago: whoever watches a rollout looks every few seconds."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence

from downwind.errors import DownwindError
from downwind.model.policy import SigningKey
from downwind.ports_of_artifacts import Attestations, Provenance

_RECENT = 30.0
_MOST = 256


class RecentAttestations:
    """Implements `ports_of_artifacts.Attestations` over another. That nobody has attested yet, or nobody answered, is
    remembered too."""

    def __init__(self, attestations: Attestations, clock: Callable[[], float] = time.monotonic) -> None:
        self._attestations = attestations
        self._clock = clock
        self._mutex = threading.Lock()
        self._known: OrderedDict[
            tuple[str, str, tuple[SigningKey, ...]], tuple[float, Sequence[Provenance] | DownwindError]
        ] = OrderedDict()

    def provenance(self, name: str, digest: str, keys: Sequence[SigningKey] = ()) -> Sequence[Provenance]:
        key = (name, digest, tuple(keys))
        with self._mutex:
            known = self._known.get(key)
        if known is None or self._clock() - known[0] > _RECENT:
            answer: Sequence[Provenance] | DownwindError
            try:
                answer = self._attestations.provenance(name, digest, keys)
            except DownwindError as error:
                answer = error
            known = (self._clock(), answer)
            with self._mutex:
                self._known[key] = known
                self._known.move_to_end(key)
                while len(self._known) > _MOST:
                    self._known.popitem(last=False)
        if isinstance(known[1], DownwindError):
            raise known[1]
        return known[1]
