"""What Cloud Storage refuses in a name or in metadata, asked before any call, the same for the real store and its twin.

https://cloud.google.com/storage/docs/objects#naming and https://cloud.google.com/storage/quotas#objects
"""

from collections.abc import Sequence

from downwind.errors import Refused
from downwind.ports import NewObject

NONCE = "nonce"
METADATA_LIMIT = 8 * 1024
_NONCE_SIZE = len(NONCE) + 32


def check_name(name: str) -> None:
    size = len(name.encode(errors="surrogatepass"))
    if not 1 <= size <= 1024 or "\r" in name or "\n" in name or name in {".", ".."} or not _encodable(name):
        raise Refused(
            f"{name[:80]!r} is not an object name", fix="1 to 1024 bytes of UTF-8, no line break, neither . nor .."
        )


def check_new(new: NewObject) -> None:
    """The name, the size of the metadata with our nonce, and that the key of the nonce is left to the adapters."""
    check_name(new.name)
    if NONCE in new.metadata:
        raise Refused(f"the metadata key `{NONCE}` is the store's own", field=NONCE, fix="choose another key")
    size = sum(len(key.encode()) + len(value.encode()) for key, value in new.metadata.items())
    if size > METADATA_LIMIT - _NONCE_SIZE:
        raise Refused(f"the metadata of {new.name[:80]!r} is larger than 8 KiB", fix="put it into the object's data")


def _encodable(text: str) -> bool:
    """Half of a surrogate pair is no text; JSON from outside can hold one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def limits(limit: int | Sequence[int] | None, lists: int) -> list[int | None]:
    """One for each list."""
    return [limit] * lists if limit is None or isinstance(limit, int) else list(limit)
