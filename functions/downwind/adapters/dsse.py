"""Signed statements in DSSE envelopes, by ECDSA keys as Cloud KMS gives them.

Source: github.com/secure-systems-lab/dsse, protocol.md 1.0.2. Signed are type and bytes of the payload together, so what a
payload is taken for cannot be changed after that; it is read only if a signature holds.
"""

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from typing import Any

from downwind.errors import Refused
from downwind.model.policy import SigningKey

_STATEMENT = "application/vnd.in-toto+json"
_LARGEST = 4 << 20


def signed_statement(envelope: Any, keys: Sequence[SigningKey]) -> tuple[str, Mapping[str, Any]] | None:
    """(id of the key, statement) of an envelope that one of the keys has signed under its own id; None: none has, or it holds no
    in-toto statement. Refused: one of the keys is none."""
    if not isinstance(envelope, Mapping) or envelope.get("payloadType") != _STATEMENT:
        return None
    payload = _bytes(envelope.get("payload"))
    signatures = envelope.get("signatures")
    if payload is None or not isinstance(signatures, list):
        return None
    signed = b"DSSEv1 %d %s %d %s" % (len(_STATEMENT), _STATEMENT.encode(), len(payload), payload)
    for each in signatures:
        signature = _bytes(each.get("sig")) if isinstance(each, Mapping) else None
        for key in keys:
            if signature is not None and each.get("keyid") == key.id and _holds(key, signature, signed):
                return _read(key, payload)
    return None


def _read(key: SigningKey, payload: bytes) -> tuple[str, Mapping[str, Any]] | None:
    try:
        statement = json.loads(payload)
    except (ValueError, RecursionError):
        return None
    return (key.id, statement) if isinstance(statement, dict) else None


def _holds(key: SigningKey, signature: bytes, signed: bytes) -> bool:
    from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    try:
        public = serialization.load_pem_public_key(key.pem.encode())
    except (ValueError, UnsupportedAlgorithm):
        public = None
    if not isinstance(public, ec.EllipticCurvePublicKey) or public.key_size not in {256, 384}:
        raise Refused(
            f"the key {key.id} is no public ECDSA key of 256 or 384 bits",
            field="verify.keys",
            fix="give it as gcloud kms keys versions get-public-key writes it",
        )
    hashed = hashes.SHA256() if public.key_size == 256 else hashes.SHA384()
    try:
        public.verify(signature, signed, ec.ECDSA(hashed))
    except InvalidSignature:
        return False
    return True


def _bytes(text: Any) -> bytes | None:
    """Base64 in either alphabet, with or without its padding."""
    if not isinstance(text, str) or len(text) > _LARGEST:
        return None
    plain = text.rstrip("=").replace("-", "+").replace("_", "/")
    try:
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
