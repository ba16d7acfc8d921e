"""Tunnel and TunnelConfiguration: the token, and the one list of rules."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from exposure.model import TunnelRule
from exposure.ways.way import OriginSettings
from tests.components.conftest import Known, Run
from tests.components.examples import ACCOUNT, ORIGIN, TUNNEL_SECRET, configuration, tunnel
from tests.kit import cloudflared
from tests.kit.recorder import UNKNOWN, Recording, Secret

HOST = "wiki.example.com"


def test_the_tunnel_is_managed_remotely_and_protected(run: Run) -> None:
    # `config_src` is `local` by default: such a tunnel ignores the list of rules [TFC zero_trust_tunnel_cloudflared].
    found = run(tunnel).one("cloudflare:ZeroTrustTunnelCloudflared")
    assert found.inputs == {
        "accountId": ACCOUNT,
        "name": "alfred",
        "configSrc": "cloudflare",
        "tunnelSecret": Secret(TUNNEL_SECRET),
    }
    assert found.protect
    assert not found.retain


def test_the_token_is_the_json_that_cloudflared_reads_and_a_secret(run: Run, preview: bool) -> None:
    # cloudflared connection/connection.go: TunnelToken has the JSON keys a (account), s (secret), t (tunnel id).
    token = run(tunnel).outputs_of("gatehouse:Tunnel")["token"]
    assert isinstance(token, Secret)
    if preview:
        assert token.value == UNKNOWN
    else:
        parts = json.loads(base64.b64decode(token.value, validate=True))
        assert parts == {"a": ACCOUNT, "t": "alfred-tunnel-id", "s": TUNNEL_SECRET}


def test_the_tunnels_id_is_no_secret(run: Run, known: Known) -> None:
    # The control of the test above: not everything that comes of a secret resource is one.
    assert run(tunnel).outputs_of("gatehouse:Tunnel")["tunnel_id"] == known("alfred-tunnel-id")


def _rules(found: Recording) -> list[dict[str, Any]]:
    config = found.one("cloudflare:ZeroTrustTunnelCloudflaredConfig").inputs["config"]
    assert set(config) == {"ingresses"}, "`originRequest` at the top level does not enforce access"
    return list(config["ingresses"])


def test_the_list_is_in_order_whatever_order_the_routes_come_in(run: Run) -> None:
    rules = [
        TunnelRule(HOST, None, ORIGIN),
        TunnelRule(HOST, "^/api(/|$)", ORIGIN),
        TunnelRule(HOST, r"^/\.well-known/acme-challenge/", "http://solver:80"),
    ]
    found = _rules(run(lambda: configuration(rules=rules)))
    assert found == _rules(run(lambda: configuration(rules=rules[::-1])))
    assert [(r.get("hostname"), r.get("path"), r["service"]) for r in found] == [
        (HOST, r"^/\.well-known/acme-challenge/", "http://solver:80"),
        (HOST, "^/api(/|$)", ORIGIN),
        (HOST, None, ORIGIN),
        (None, None, "http_status:404"),
    ]
    assert cloudflared.refusals(found) == []


def test_the_catch_all_has_no_host_and_no_path_at_all(run: Run) -> None:
    # Sent as "" they show a difference after a refresh; the rules before it are the control.
    first, last = _rules(run(configuration))
    assert set(last) == {"service"}
    assert set(first) == {"service", "hostname"}


def test_a_protected_rule_demands_a_jwt_of_each_of_its_applications_and_no_other_rule_does(
    run: Run, known: Known
) -> None:
    # cloudflared checks `access` of each rule apart: required, teamName (bare), audTag [CFD config/configuration.go].
    rules = [
        TunnelRule(HOST, None, ORIGIN, "wiki", ("wiki", "wiki-path-api")),
        TunnelRule(HOST, "^/api(/|$)", ORIGIN),
        TunnelRule("blog.example.com", None, ORIGIN),
    ]
    auds = {"wiki": "aud-1", "wiki-path-api": "aud-2", "other": "aud-3"}
    public, path, protected, last = _rules(run(lambda: configuration(rules=rules, auds=auds)))
    access = {"required": True, "teamName": "team", "audTags": ["aud-1", "aud-2"]}
    assert protected["originRequest"] == {"access": access}
    for open_rule in (public, path, last):
        assert "originRequest" not in open_rule


def test_a_rule_whose_application_is_not_there_is_refused_and_registers_nothing_of_the_list(run: Run) -> None:
    rules = [TunnelRule(HOST, None, ORIGIN, "wiki", ("wiki",))]
    with pytest.raises(ValueError, match="login of wiki, whose AUD is not in `auds`"):
        run(lambda: configuration(rules=rules, auds={}))


@pytest.mark.parametrize(
    ("settings", "sent"),
    [
        # Left: what is asked for. Right: the provider's names [TFC zero_trust_tunnel_cloudflared_config, schema].
        ({"origin_server_name": HOST}, {"originServerName": HOST}),
        ({"match_sni_to_host": True}, {"matchSnItoHost": True}),
        ({"ca_pool": "/etc/ca.pem"}, {"caPool": "/etc/ca.pem"}),
        ({"no_tls_verify": True}, {"noTlsVerify": True}),
        ({"http2_origin": True}, {"http2Origin": True}),
        ({"http_host_header": "other.example.com"}, {"httpHostHeader": "other.example.com"}),
        ({"connect_timeout_seconds": 7}, {"connectTimeout": 7}),
        ({}, None),
    ],
)
def test_only_settings_that_are_set_are_sent(settings: dict[str, Any], sent: object, run: Run) -> None:
    rules = [TunnelRule(HOST, None, ORIGIN, settings=OriginSettings(**settings))]
    assert _rules(run(lambda: configuration(rules=rules)))[0].get("originRequest") == sent


def test_the_list_belongs_to_its_tunnel_and_follows_the_applications_it_names(run: Run, known: Known) -> None:
    def program() -> None:
        parent = tunnel()
        aud = parent.tunnel_id.apply(lambda i: f"{i}-aud")
        rules = [TunnelRule(HOST, None, ORIGIN, "wiki", ("wiki",))]
        configuration("other", tunnel_id=parent.tunnel_id, rules=rules, auds={"wiki": aud})

    found = run(program).one("cloudflare:ZeroTrustTunnelCloudflaredConfig")
    assert found.inputs["tunnelId"] == known("alfred-tunnel-id")
    assert found.property_dependencies("config") == {"cloudflare:ZeroTrustTunnelCloudflared alfred-tunnel"}


def test_an_empty_list_is_the_catch_all_alone(run: Run) -> None:
    # cloudflared answers 503 to everything where the list is empty; 404 tells a stranger less.
    assert _rules(run(lambda: configuration(rules=[]))) == [{"service": "http_status:404"}]
