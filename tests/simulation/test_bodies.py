"""What the simulated Cloudflare says to a body that lacks something: the sense of the API's refusals, not the words."""

from __future__ import annotations

import re
from typing import Any

import pytest

from gatehouse.simulation.cloud import RefusedError
from gatehouse.simulation.cloudflare import Cloudflare
from gatehouse.simulation.store import Store
from tests.simulation.plugin import ACCOUNT, Plugin, ProviderError
from tests.simulation.test_cloudflare import APP, ZONE, app, people

HOME: dict[str, Any] = {"accountId": ACCOUNT}


@pytest.mark.parametrize(
    ("type_", "body", "words"),
    [
        ("ZeroTrustAccessApplication", {**HOME, "destinations": [{}]}, "destinations[0] is empty"),
        ("ZeroTrustAccessApplication", {**HOME, "allowedIdps": [None]}, "allowedIdps[0] is empty"),
        (
            "ZeroTrustAccessGroup",
            {**HOME, "name": "g", "includes": [{"email": {}}]},
            "includes[0].email.email is required",
        ),
        ("ZeroTrustAccessGroup", {**HOME, "name": "g"}, "includes is required"),
        ("ZeroTrustAccessPolicy", {**HOME, "name": "p", "includes": [{"everyone": {}}]}, "decision is required"),
        ("ZeroTrustAccessIdentityProvider", {**HOME, "type": "google", "config": {}}, "name is required"),
        ("DnsRecord", {"zoneId": "0" * 32, "name": "a", "ttl": 1}, "type is required"),
        ("DnsRecord", {"zoneId": "0" * 32, "type": "A", "ttl": 1}, "name is required"),
        (
            "ZeroTrustTunnelCloudflaredConfig",
            {**HOME, "tunnelId": "t", "config": {"ingresses": [{"hostname": "a.example.com"}]}},
            "config.ingresses[0].service is required",
        ),
    ],
)
def test_a_body_that_is_not_whole_is_refused(store: Store, type_: str, body: dict[str, Any], words: str) -> None:
    with pytest.raises(RefusedError, match=f"{re.escape(words)}.*"):
        Cloudflare(store).kinds[type_].whole(body)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"destinations": [{}]}, r"destinations\[0\] is empty"),
        ({"destinations": [{"type": "public"}]}, r"destinations\[0\].uri is required"),
        ({"policies": [{"precedence": 1}]}, r"policies\[0\] needs a decision"),
        ({"allowedIdps": [None]}, r"allowedIdps\[0\] is empty"),
    ],
)
def test_an_application_with_holes_is_refused(cloudflare: Plugin, wrong: dict[str, Any], words: str) -> None:
    cloudflare.create(ZONE, "zone", account={"id": ACCOUNT}, name="example.com")
    idp, _, policy = people(cloudflare)
    made = cloudflare.create(APP, "app", **app("a.example.com", idp, policy))
    with pytest.raises(ProviderError, match=f"access.api.error.invalid_request: {words}"):
        made.update(**{**made.inputs, **wrong})
