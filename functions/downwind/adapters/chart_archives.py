"""Archives of charts from public repositories: by https, or out of an OCI registry. Each is pinned by the SHA-256 of its bytes,
so neither an index nor a tag is read: both only say which archive is meant, and the catalog has said that.

Sources: helm.sh/docs/topics/chart_repository, helm.sh/docs/topics/registries (a chart's .tgz is a layer of the media type
application/vnd.cncf.helm.chart.content.v1.tar+gzip, kept as a blob under its own SHA-256).
"""

import hashlib
import threading
import time
from collections import OrderedDict
from collections.abc import Sequence
from urllib.parse import urlsplit

from downwind.adapters.bounded_http import Answer, BoundedHttp
from downwind.adapters.oci_http import OciSession
from downwind.adapters.public_http import PublicOnly
from downwind.errors import Misconfigured, Refused, TransientError
from downwind.model.engines import PinnedChart

MOST_BYTES = 10 << 20
_CACHED_BYTES = 32 << 20
_FIELD = "manifests.helm.charts"
_LOOPBACK = {"127.0.0.1", "localhost"}
_FIX = (
    "correct its entry of manifests.helm.charts in the catalog, or commit the chart: helm dependency build, then "
    "git add --force charts"
)


class PublicCharts:
    """Implements `ports_of_artifacts.Charts`. Without credentials. The last archives are kept in memory, since the
    environments of one release ask for the same ones.

    `loopback` and `trusted`: of tests, see `PublicOnly`; this machine is then spoken to by http as well.
    """

    def __init__(self, timeout: float = 20, *, loopback: bool = False, trusted: str | None = None) -> None:
        self._timeout = timeout
        self._loopback = loopback
        self._trusted = trusted
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._mutex = threading.Lock()

    def archive(self, chart: PinnedChart, redirects: Sequence[str]) -> bytes:
        with self._mutex:
            if chart.sha256 in self._cache:
                self._cache.move_to_end(chart.sha256)
                return self._cache[chart.sha256]
        data = self._fetch(chart, redirects)
        actual = hashlib.sha256(data).hexdigest()
        if actual != chart.sha256:
            raise Refused(
                f"{chart.address} has the SHA-256 {actual}, and the catalog pins {chart.sha256}", field=_FIELD, fix=_FIX
            )
        with self._mutex:
            self._cache[chart.sha256] = data
            while sum(map(len, self._cache.values())) > _CACHED_BYTES:
                self._cache.popitem(last=False)
        return data

    def _fetch(self, chart: PinnedChart, redirects: Sequence[str]) -> bytes:
        first = urlsplit(chart.address)
        hosts = {first.netloc, *redirects}
        public = PublicOnly(loopback=self._loopback, trusted=self._trusted)
        http = BoundedHttp(public.session, lambda url: self._check(url, chart, hosts), field=_FIELD, as_sent=True)
        # A time-out of a socket begins anew with each byte: this one does not.
        clock = threading.Timer(self._timeout, public.stop)
        clock.daemon = True
        clock.start()
        try:
            answer = self._from_registry(chart, chart.oci, http) if chart.oci else self._from_repository(chart, http)
            if answer.status != 200:
                raise Refused(f"it can't be read without credentials ({answer.status})")
        except (Refused, Misconfigured) as error:  # no credentials of ours would help
            if public.stopped:
                raise TransientError(f"{first.netloc} did not answer in time") from error
            fix = error.fix if isinstance(error, Refused) and error.fix else _FIX
            raise Refused(f"{chart.address}: {error.reason}", field=_FIELD, fix=fix) from None
        except ValueError as error:  # a Location that is no address
            raise TransientError(f"{first.netloc} points to what is no address") from error
        finally:
            clock.cancel()
            public.close()
        if public.stopped:
            raise TransientError(f"{first.netloc} did not answer in time")
        return answer.body

    def _from_repository(self, chart: PinnedChart, http: BoundedHttp) -> Answer:
        deadline = time.monotonic() + self._timeout
        return http.follow("GET", chart.address, {}, None, MOST_BYTES, deadline)

    def _from_registry(self, chart: PinnedChart, place: str, http: BoundedHttp) -> Answer:
        parts = urlsplit(place)
        session = OciSession(self._is_plain, lambda _host: None, self._timeout, http)
        path = f"blobs/sha256:{chart.sha256}"
        return session.ask("GET", parts.netloc, parts.path.strip("/"), path, accept="*/*", limit=MOST_BYTES)

    def _check(self, url: str, chart: PinnedChart, hosts: set[str]) -> None:
        parts = urlsplit(url)
        if parts.scheme != "https" and not (parts.scheme == "http" and self._is_plain(parts.netloc)):
            raise Refused(f"it leads on to {parts.scheme}://{parts.netloc}, which is not https")
        if parts.netloc not in hosts:
            raise Refused(
                f"it leads on to {parts.netloc}",
                fix=f"if that is where {chart.name} is kept, add {parts.netloc} to manifests.helm.redirects in the catalog",
            )

    def _is_plain(self, host: str) -> bool:
        return self._loopback and urlsplit(f"//{host}").hostname in _LOOPBACK
