"""Which clouds a run works on. Expectations are the providers' own variables, from their documentation."""

from __future__ import annotations

import pytest

from config.loader import parse_stack_text
from gatehouse.engine.clouds import choose_clouds
from gatehouse.engine.workspace import namespaces, services

CLOUDFLARE = {"CLOUDFLARE_API_TOKEN": "t"}
TAILSCALE_KEY = {"TAILSCALE_API_KEY": "k"}
TAILSCALE_OAUTH = {"TAILSCALE_OAUTH_CLIENT_ID": "i", "TAILSCALE_OAUTH_CLIENT_SECRET": "s"}
TAILSCALE_IDENTITY = {"TAILSCALE_OAUTH_CLIENT_ID": "i", "TAILSCALE_AUDIENCE": "api.tailscale.com/i"}
SECURE = {"secure": "v1:made-up"}


@pytest.mark.parametrize("tailscale", [TAILSCALE_KEY, TAILSCALE_OAUTH, TAILSCALE_IDENTITY])
def test_real_clouds_where_every_credential_is_set(tailscale: dict[str, str]) -> None:
    assert choose_clouds({**CLOUDFLARE, **tailscale}, {}, simulated=False).real


def test_credentials_of_the_stack_file_count_too() -> None:
    config = {"cloudflare:apiToken": SECURE, "tailscale:oauthClientId": "i", "tailscale:oauthClientSecret": SECURE}
    assert choose_clouds({}, config, simulated=False).real


def test_asking_for_simulated_clouds_beats_every_credential() -> None:
    assert not choose_clouds({**CLOUDFLARE, **TAILSCALE_KEY}, {}, simulated=True).real


def test_without_credentials_clouds_are_simulated_and_nothing_is_said_to_be_missing() -> None:
    clouds = choose_clouds({}, {}, simulated=False)
    assert (clouds.real, clouds.note) == (False, "")


@pytest.mark.parametrize(
    ("environment", "named"),
    [
        (CLOUDFLARE, "none for tailscale (set TAILSCALE_API_KEY or TAILSCALE_OAUTH_CLIENT_ID and"),
        (TAILSCALE_KEY, "none for cloudflare (set CLOUDFLARE_API_TOKEN)"),
        ({**CLOUDFLARE, "TAILSCALE_OAUTH_CLIENT_ID": "i"}, "none for tailscale"),
        ({**TAILSCALE_OAUTH, "CLOUDFLARE_API_TOKEN": ""}, "none for cloudflare"),
    ],
)
def test_with_some_credentials_clouds_stay_simulated_and_the_missing_ones_are_named(
    environment: dict[str, str], named: str
) -> None:
    clouds = choose_clouds(environment, {}, simulated=False)
    assert not clouds.real
    assert named in clouds.note


def test_what_a_stack_file_takes_as_it_is_stands_in_simulated_clusters_from_the_start() -> None:
    text = """\
config:
  gatehouse:services:
    dns:
      origin: {namespace: adguard, service: dns, port: 53, scheme: udp, other_ports: [{port: 53}, {port: 853}]}
    web: {origin: {namespace: adguard, service: dns, port: 80}}
    game: {origin: {namespace: game, service: game, port: 1, selector: {app: game}}}
    nas: {origin: {url: "http://192.168.0.9:80"}}
    broken: {origin: {namespace: [x], service: y, port: 1}}
    half: {origin: {namespace: half, service: half, port: "80"}}
"""
    source = parse_stack_text(text, "alfred")
    assert namespaces(source) == ["adguard", "game", "half"]
    assert services(source) == ["adguard/dns:53/udp,53/tcp,853/tcp,80/tcp"], "the game's is Gatehouse's own"
    assert services(parse_stack_text("config: {'gatehouse:services': [1]}", "alfred")) == []
