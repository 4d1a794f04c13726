"""Any receiver of yours: one POST of JSON for each state of a message. `id` is the same for all of them, and `state` says which
it is: the receiver replaces what it has. A repeat is equal, byte for byte.

With `credentials`, `X-Downwind-Signature: sha256=<hex>` is the HMAC of the body, as GitHub signs its webhooks.
"""

import hashlib
import hmac
import json

from downwind.adapters.notify_http import NoticeHttp
from downwind.model.channels import Webhook
from downwind.model.notice import Notice

SIGNATURE = "X-Downwind-Signature"
_FIX = "give the secret the key that the receiver checks signatures with"


def send(http: NoticeHttp, target: Webhook, notice: Notice, key: str | None, deadline: float) -> None:
    data = body(notice)
    headers = {"Content-Type": "application/json", "User-Agent": "downwind", "X-Downwind-Id": notice.id}
    if key is not None:
        headers[SIGNATURE] = "sha256=" + hmac.new(key.encode(), data, hashlib.sha256).hexdigest()
    http.call("POST", target.address, deadline=deadline, headers=headers, data=data).checked(credentials=_FIX)


def body(notice: Notice) -> bytes:
    document = {"v": 1, "id": notice.id, "state": notice.state, "text": notice.text, "link": notice.link}
    return json.dumps({**notice.fields, **document}, sort_keys=True).encode()
