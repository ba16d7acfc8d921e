"""Settings of a service's Access applications, as the provider gets them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from pydantic import ValidationError

from components.access import Access
from config.services import AccessSettings
from exposure.audience import ANYONE, people, tokens
from exposure.ways.tunnel import ZeroTrustWay
from tests.components.examples import ACCESS, HOUSEHOLD, ORIGIN
from tests.kit.recorder import record

CORS = {"allowed_origins": ["https://app.example.com"], "allowed_methods": ["POST", "GET"]}


def registered(
    access: dict[str, Any], audience: Any = HOUSEHOLD, paths: Any = None, with_access: Access = ACCESS
) -> dict[str, Any]:
    """The inputs of each application, by its destination."""
    from components.zero_trust_app import ZeroTrustApp

    way = ZeroTrustWay.of("wiki", hosts=["wiki.example.com"], origin=ORIGIN, audience=audience, paths=paths)
    way = replace(way, access=AccessSettings.model_validate(access))
    found = record(lambda: ZeroTrustApp("wiki", way=way, access=with_access), False)
    return {r.name: r.inputs for r in found if r.type.endswith(":ZeroTrustAccessApplication")}


def test_without_them_an_application_is_as_it_was() -> None:
    [inputs] = registered({}).values()
    assert not {"corsHeaders", "logoUrl", "skipInterstitial"} & set(inputs)
    cookies = [inputs[k] for k in ("httpOnlyCookieAttribute", "sameSiteCookieAttribute", "appLauncherVisible")]
    assert cookies == [True, "lax", True]


def test_each_application_that_asks_has_them_and_one_that_lets_anyone_by_has_none() -> None:
    settings = {
        "cors_headers": {**CORS, "allow_credentials": True, "max_age": 600},
        "app_launcher_visible": False,
        "logo_url": "https://example.com/logo.png",
        "same_site_cookie_attribute": "none",
        "http_only_cookie_attribute": False,
        "skip_interstitial": True,
    }
    found = registered(settings, paths={"/admin": people(["admins"]) | tokens(["phone"]), "/open": ANYONE})
    expected = {
        "corsHeaders": {
            "allowCredentials": True,
            "allowedMethods": ["GET", "POST"],
            "allowedOrigins": ["https://app.example.com"],
            "maxAge": 600,
        },
        "appLauncherVisible": False,
        "logoUrl": "https://example.com/logo.png",
        "sameSiteCookieAttribute": "none",
        "httpOnlyCookieAttribute": False,
        "skipInterstitial": True,
    }
    for name in ("wiki.example.com", "wiki.example.com/admin"):
        assert {key: found[name].get(key) for key in expected} == expected
    opened = found["wiki.example.com/open"]
    assert {key: opened.get(key) for key in expected} == {
        **dict.fromkeys(expected),
        "appLauncherVisible": False,
        "httpOnlyCookieAttribute": True,
    }


def test_a_session_of_its_own_has_a_policy_of_its_own() -> None:
    access = replace(ACCESS, policy_ids={**ACCESS.policy_ids, "household@1h": "hour-id"})
    found = registered({"session_duration": "1h"}, paths={"/open": ANYONE}, with_access=access)
    assert {name: (i["policies"][0]["id"], i["sessionDuration"]) for name, i in found.items()} == {
        "wiki.example.com": ("hour-id", "1h"),
        "wiki.example.com/open": ("bypass-id", "24h"),
    }
    with pytest.raises(ValueError, match="a policy for 'household@1h' in policy_ids"):
        registered({"session_duration": "1h"})


def test_every_one_is_a_word_of_the_providers_own() -> None:
    cors = {"allowed_origins": ["*"], "allowed_methods": ["*"], "allowed_headers": ["*"]}
    [inputs] = registered({"cors_headers": cors}).values()
    assert inputs["corsHeaders"] == {"allowAllOrigins": True, "allowAllMethods": True, "allowAllHeaders": True}


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"allowed_origins": ["*"], "allow_credentials": True}, "act as whoever is logged in"),
        ({"allowed_origins": ["*", "https://app.example.com"]}, "nothing stands beside it"),
        *(
            ({"allowed_origins": [origin]}, "scheme, host and port")
            # None of these is how a browser writes an origin [RFC 6454].
            for origin in ("app.example.com", "https://app.example.com/", "https://App.example.com", "null",
                           "https://app.example.com:443", "http://app.example.com:80", "https://*.example.com")
        ),
        ({"allowed_origins": []}, "at least 1"),
        ({"allowed_methods": ["FETCH"]}, "Input should be"),
        ({"allowed_headers": ["a b"]}, "pattern"),
        ({"max_age": 86401}, "less than or equal to 86400"),
    ],
)  # fmt: skip
def test_what_no_browser_or_cloudflare_takes_is_refused(changed: dict[str, Any], words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        AccessSettings.model_validate({"cors_headers": {**CORS, **changed}})


@pytest.mark.parametrize("origin", ["http://localhost:3000", "https://app.example.com:8443", "https://192.0.2.7"])
def test_origins_as_browsers_write_them_are_taken(origin: str) -> None:
    AccessSettings.model_validate({"cors_headers": {**CORS, "allowed_origins": [origin]}})
