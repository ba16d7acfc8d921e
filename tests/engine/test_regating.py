"""A service that changes its gate, in every direction, or its proxies, under the real engine."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import pytest

from tests.engine.kit import Project, doubles, orphans
from tests.engine.stacks import ZERO_TRUST, at, small
from tests.engine.test_lifecycle import kept, quiet
from tests.engine.wider import wider
from tests.kit.builders import GAME, HTML, MEDIA, NODE, OPEN_HTML

pytestmark = pytest.mark.engine

GATES: Mapping[str, Mapping[str, Any]] = {
    "zero-trust": HTML,
    "public-tunnel": OPEN_HTML,
    "funnel": MEDIA,
    "tailnet": {**HTML, "clients": "tailnet"},
    "port-forward": {**GAME, "origin": {**HTML["origin"], "scheme": "tcp", "selector": {"app": "web"}}},
}
OWN: Mapping[str, frozenset[str]] = {
    "zero-trust": frozenset(
        {
            "ZeroTrustApp/photos",
            "ZeroTrustAccessApplication/photos-alfred.example.com",
            "DnsRecord/photos-alfred.example.com",
        }
    ),
    "public-tunnel": frozenset({"PublicTunnelRoute/photos", "DnsRecord/photos-alfred.example.com"}),
    "funnel": frozenset({"FunnelService/photos", "NamespacePatch/photos-namespace", "Ingress/photos-ingress"}),
    "tailnet": frozenset({"TailnetService/photos", "NamespacePatch/photos-namespace", "Ingress/photos-ingress"}),
    "port-forward": frozenset(
        {
            "PortForward/photos",
            "NamespacePatch/photos-namespace",
            "Service/photos-nodeport",
            "DnsRecord/photos-alfred.example.com",
        }
    ),
}
"""What each gate registers for a service, read from the components' own docstrings."""
SHARED = {
    "ZeroTrustTunnelCloudflaredConfig/alfred-rules": ("zero-trust", "public-tunnel"),
    "NetworkPolicy/connector-network": ("zero-trust", "public-tunnel"),
    "Acl/tailnet-policy": ("tailnet",),
}
"""What is one for all services, and the gates that show in it (Funnel is one tag's, and another service has it)."""
# All twenty directions, as walks that begin where the one before ended.
WALKS = (
    ("zero-trust", "public-tunnel", "funnel", "tailnet", "port-forward", "zero-trust"),
    ("zero-trust", "funnel", "port-forward", "public-tunnel", "tailnet", "zero-trust"),
    ("zero-trust", "tailnet", "public-tunnel", "port-forward", "funnel", "zero-trust"),
    ("zero-trust", "port-forward", "tailnet", "funnel", "public-tunnel", "zero-trust"),
)


def test_the_walks_go_every_way_once() -> None:
    ways = [pair for walk in WALKS for pair in pairwise(walk)]
    assert sorted(ways) == sorted((a, b) for a in GATES for b in GATES if a != b)


@pytest.mark.parametrize("walk", WALKS, ids=lambda walk: "-".join(walk[1:-1]))
def test_a_service_goes_from_gate_to_gate_and_only_what_must_change_does(
    project: Project, walk: tuple[str, ...]
) -> None:
    def choose(gate: str) -> None:
        # The others see to it that every shared thing is there throughout.
        others = {"other": at("other", ZERO_TRUST), "media": at("media", MEDIA)}
        small(project, {"photos": GATES[gate], **others})

    choose(walk[0])
    project.ok("up")
    for before, after in pairwise(walk):
        choose(after)
        since = len(project.history())
        run = project.ok("up")
        kept(run)
        way = f"{before} -> {after}"
        assert run.steps == expected(before, after), way
        assert wider(project, since) == [], way
        assert not orphans(project, "alfred"), way
        assert not doubles(project.objects()), way
    quiet(project.ok("preview", "--refresh"))


def expected(before: str, after: str) -> dict[str, str]:
    old, new = OWN[before], OWN[after]
    steps = dict.fromkeys(new - old, "create") | dict.fromkeys(old - new, "delete")
    for name in old & new:
        # Another component as parent is another URN, which aliases make an update at most.
        steps[name] = "same"
    if "DnsRecord/photos-alfred.example.com" in old & new and "port-forward" in (before, after):
        steps["DnsRecord/photos-alfred.example.com"] = "replace"  # a CNAME for an A record
    if {before, after} == {"funnel", "tailnet"}:
        steps["Ingress/photos-ingress"] = "update"
    for name, gates in SHARED.items():
        tunnel_both = before in gates and after in gates
        if (before in gates) != (after in gates) or (tunnel_both and name != "NetworkPolicy/connector-network"):
            steps[name] = "update"
    return {name: op for name, op in steps.items() if op != "same"}


# A service that changes its proxies


BEHIND = {
    "wiki": at("wiki", HTML, clients="tailnet"),
    "git": {
        "origin": {"namespace": "git", "service": "git", "port": 22, "scheme": "tcp", "selector": {"app": "git"}},
        "traffic": "non-html",
        "clients": "tailnet",
    },
}
BESIDE = {
    # A Service of the user's keeps its own proxy, and so does Funnel.
    "mail": {
        "origin": {"namespace": "mail", "service": "mail", "port": 993, "scheme": "tcp"},
        "traffic": "non-html",
        "clients": "tailnet",
    },
    "komga": at("komga", MEDIA),
}
GROUP = {"ProxyGroup/tailscale-proxies", "ProxyGroup/tailscale-proxies-group"}
MOVED = {"Ingress/wiki-ingress", "Service/git-service"}


def test_services_go_behind_shared_proxies_and_come_back_each_deleted_before_it_is_made_anew(project: Project) -> None:
    def share(on: bool) -> None:
        node = {**NODE, "tailscale_operator": "helm", **({"proxy_group": True} if on else {})}
        small(project, {**BEHIND, **BESIDE}, node=node)

    def changed() -> list[tuple[str, str]]:
        return [
            (str(call["method"]), f"{str(call['type']).rpartition(':')[2]}/{call['name']}")
            for call in project.calls()
            if call["method"] in ("create", "delete")
        ]

    share(on=True)
    # The kind comes with the operator's chart, in the same run.
    project.ok("up")
    order = changed()
    group, release = "ProxyGroup/tailscale-proxies-group", "Release/tailscale-operator-release"
    steps = [order.index(("create", name)) for name in (release, group, "Ingress/wiki-ingress")]
    assert steps == sorted(steps)
    quiet(project.ok("up"))

    share(on=False)
    since = len(changed())
    assert project.ok("up").steps == {
        "Acl/tailnet-policy": "update",
        **dict.fromkeys(MOVED, "replace"),
        **dict.fromkeys(GROUP, "delete"),
    }
    after = changed()[since:]
    for name in MOVED:
        assert after.index(("delete", name)) < after.index(("create", name))
        assert after.index(("delete", name)) < after.index(("delete", group))

    share(on=True)
    since = len(changed())
    assert project.ok("up").steps == {
        "Acl/tailnet-policy": "update",
        **dict.fromkeys(MOVED, "replace"),
        **dict.fromkeys(GROUP, "create"),
    }
    after = changed()[since:]
    for name in MOVED:
        assert after.index(("delete", name)) < after.index(("create", name))
    quiet(project.ok("up"))

    # The simulated cluster refuses what would wait for a finalizer for ever.
    since = len(changed())
    project.ok("destroy")
    gone = [name for method, name in changed()[since:] if method == "delete"]
    assert max(gone.index(name) for name in MOVED) < gone.index(group) < gone.index(release)
