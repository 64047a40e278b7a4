"""An OpenID Connect provider as the node sees it: where it is asked what, and the keys that it signs with.

Both are fetched when they are needed (OpenID Connect Discovery 1.0, section 4; RFC 7517) and kept: a provider that is
away stops nobody whose token is signed with a key that is known.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, JWKRegistry, OKPKey, RSAKey

from federation.addresses import is_safe_url
from federation.identity.principal import ProviderUnavailable

FRESH_SECONDS = 600.0
"""How long keys are taken as they are: one that the provider withdraws is accepted no longer than that."""

RETRY_SECONDS = 10.0
"""How long after one attempt the next is made at the earliest: tokens with keys that nobody knows cost no more."""

FETCH_SECONDS = 5.0
LARGEST_DOCUMENT = 1 << 20
SMALLEST_RSA_BITS = 2048
"""RFC 7518, section 3.3."""

log = structlog.get_logger(__name__)
PublicKey = RSAKey | ECKey | OKPKey


@dataclass(frozen=True, slots=True)
class Metadata:
    """Where the provider is asked what; ``end_session_endpoint`` where it offers to be told of a log-out."""

    authorization_endpoint: str
    token_endpoint: str
    end_session_endpoint: str | None
    secret_in_form: bool


class Provider:
    """One issuer's metadata and keys, for any number of threads. ``now`` counts seconds."""

    def __init__(self, issuer: str, http: httpx.Client, now: Callable[[], float] = time.monotonic) -> None:
        self.issuer = issuer
        self.http = http
        self._now = now
        self._lock = threading.Lock()
        self._metadata: Metadata | None = None
        self._keys: Mapping[str, PublicKey] = {}
        self._fetched_at = self._tried_at = float("-inf")
        self._away = False

    def metadata(self) -> Metadata:
        """Raises ProviderUnavailable: it was never reached, and is not now."""
        if self._metadata is None:
            self._renew(needed=lambda: self._metadata is None)
        if self._metadata is None:
            raise ProviderUnavailable
        return self._metadata

    def key(self, kid: str) -> PublicKey | None:
        """The key of that id; None where the provider has none.

        Raises:
            ProviderUnavailable: it is not known, and the provider can't be asked now.
        """
        if self._now() - self._fetched_at >= FRESH_SECONDS or kid not in self._keys:
            self._renew(needed=lambda: kid not in self._keys)
        if kid not in self._keys and self._away:
            raise ProviderUnavailable
        return self._keys.get(kid)

    def _renew(self, needed: Callable[[], bool]) -> None:
        """Fetch, unless that was tried just now.

        Another that is fetching is waited for by those who can't do without, and while the provider is away by nobody:
        tokens with keys that nobody knows must not take all threads.
        """
        if not self._lock.acquire(blocking=needed() and not self._away):
            return
        try:
            if self._now() - self._tried_at < RETRY_SECONDS:
                return
            try:
                self._metadata, self._keys = self._fetch()
                self._away, self._fetched_at = False, self._now()
            except ProviderUnavailable as error:
                self._away = True
                log.warning("identity_provider_unavailable", reason=str(error))
            self._tried_at = self._now()
        finally:
            self._lock.release()

    def _fetch(self) -> tuple[Metadata, Mapping[str, PublicKey]]:
        document = self._document(f"{self.issuer.rstrip('/')}/.well-known/openid-configuration")
        if document.get("issuer") != self.issuer:
            raise ProviderUnavailable("its configuration names another issuer")
        end_session = document.get("end_session_endpoint")
        ways = document.get("token_endpoint_auth_methods_supported")
        metadata = Metadata(
            authorization_endpoint=_address(document.get("authorization_endpoint")),
            token_endpoint=_address(document.get("token_endpoint")),
            end_session_endpoint=None if end_session is None else _address(end_session),
            secret_in_form=isinstance(ways, list) and "client_secret_basic" not in ways,
        )
        keys = self._document(_address(document.get("jwks_uri"))).get("keys")
        found = [_key(item) for item in keys] if isinstance(keys, list) else []
        return metadata, {key.kid: key for key in found if key is not None and key.kid is not None}

    def _document(self, url: str) -> dict[str, Any]:
        """A JSON object, within limits of time and size that a server can't stretch byte by byte."""
        content, deadline = bytearray(), time.monotonic() + FETCH_SECONDS
        try:
            with self.http.stream("GET", url, headers={"Accept": "application/json"}) as response:
                if response.status_code != httpx.codes.OK:
                    raise ProviderUnavailable(f"it answers {response.status_code}")
                for piece in response.iter_bytes():
                    content += piece
                    if len(content) > LARGEST_DOCUMENT or time.monotonic() > deadline:
                        raise ProviderUnavailable("its answer is too long or too slow")
            document = json.loads(content)
        except httpx.HTTPError as error:
            raise ProviderUnavailable(type(error).__name__) from None
        except (ValueError, RecursionError):
            raise ProviderUnavailable("its answer is not JSON") from None
        if not isinstance(document, dict):
            raise ProviderUnavailable("its answer is not a JSON object")
        return document


def _address(url: object) -> str:
    if not isinstance(url, str) or not is_safe_url(url):
        raise ProviderUnavailable("its configuration lacks an address, or names one that is not safe")
    return url


def _key(item: object) -> PublicKey | None:
    """A key that signatures are checked with; None for what is none, is shared, or is too weak."""
    if not isinstance(item, dict) or item.get("use", "sig") != "sig":
        return None
    try:
        key = JWKRegistry.import_key(item)
        if isinstance(key, RSAKey):
            return key if key.public_key.key_size >= SMALLEST_RSA_BITS else None
        return key if isinstance(key, ECKey | OKPKey) else None
    except (JoseError, ValueError, TypeError, KeyError):
        return None
