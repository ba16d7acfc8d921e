"""What remains for a person, as data: in order, each with the value to enter."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from config.services import Node, Service
from config.stack import Estate, Zone
from exposure.audience import Audience
from exposure.names import node_tag
from exposure.ways.way import ManualStep

_GOOGLE_TEST_USERS = 100
"""Google allows 100 test users while the OAuth client is in testing [Google Cloud Console, Audience]."""


def for_estate(estate: Estate, logins: Iterable[Audience]) -> list[ManualStep]:
    """The owner's manual steps: registrar, Google, tailnet. `logins` are all who log in with Google."""
    items = [_registrar(zone, zone is estate.zone) for zone in estate.zones]
    emails = sorted({email for a in logins for name in a.people for email in estate.people.get(name, ())})
    if estate.google:
        items.append(
            ManualStep(
                "google",
                "Let Google's OAuth client log these people in",
                (
                    f"Google Cloud Console, Credentials, the client: authorized origin {_origin(estate.team)}",
                    f"and authorized redirect URI {redirect_uri(estate.team)}",
                    f"Audience, Test users (at most {_GOOGLE_TEST_USERS}): add {', '.join(emails)}"
                    if emails
                    else "Audience, Test users: add the people you let in",
                ),
                values={"origin": _origin(estate.team), "redirect_uri": redirect_uri(estate.team)},
                outputs=("redirect_uri",),
            )
        )
    if estate.tailnet:
        items.append(
            ManualStep(
                "tailnet-name",
                f"Give the tailnet its name {estate.tailnet.name}",
                ("Tailscale admin console, DNS, Rename tailnet: no API sets it.",),
                values={"tailnet": estate.tailnet.name},
            )
        )
    return items


def _registrar(zone: Zone, main: bool) -> ManualStep:
    where = "" if main else f"zones.{zone.name}."
    names, ds = f"{where}name_servers", f"{where}ds_record"
    steps = [f"Replace the domain's name servers with the two in output `{names}`."]
    if zone.dnssec:
        steps.append(f"Add the DS record in output `{ds}` once the name servers have changed, not before.")
    return ManualStep(
        "registrar" if main else f"registrar-{zone.name}",
        f"Point {zone.name} to Cloudflare at its registrar",
        tuple(steps),
        outputs=(names, ds) if zone.dnssec else (names,),
        values={"zone": zone.name},
    )


def for_node(node: Node, has_tailnet: bool, ssh: bool) -> list[ManualStep]:
    """The node's own manual steps on the tailnet."""
    if not has_tailnet:
        return []
    tag = node_tag(node.name)
    items = [
        ManualStep(
            "tailscale-up",
            f"Join {node.name} to the tailnet with its tag",
            (
                f"On {node.name}: sudo tailscale up --advertise-tags={tag}",
                *((f"tailscale ip -4 then says {node.tailnet_ipv4}.",) if node.tailnet_ipv4 else ()),
            ),
            values={"tag": tag},
        )
    ]
    if ssh:
        items.append(
            ManualStep(
                "share-node",
                "Let people who are not in your tailnet in",
                (
                    f"Invite them (admin console, Users), or share {node.name} with them (Machines, Share);"
                    " a shared node follows your policy too.",
                ),
            )
        )
    return items


def for_operator(installed_by: str, ingresses: int) -> list[ManualStep]:
    """The Tailscale operator, where Gatehouse does not install it."""
    if not ingresses or installed_by == "helm":
        return []
    return [
        ManualStep(
            "tailscale-operator",
            "Have the Tailscale operator in the cluster",
            (
                "Install chart tailscale/tailscale-operator in namespace tailscale with an OAuth client of tag"
                " tag:k8s-operator and the write scopes Devices Core, Auth Keys and Services,"
                " or set `node.tailscale_operator: helm`.",
                "Until it runs, the Ingresses of class tailscale wait; nothing else does.",
            ),
        )
    ]


def for_certificates(services: Mapping[str, Service], issuer: str, class_name: str) -> list[ManualStep]:
    """cert-manager's issuer, where a service renews its own certificate."""
    if not any(s.own_certificate for s in services.values()):
        return []
    return [
        ManualStep(
            "cluster-issuer",
            f"Have cert-manager's ClusterIssuer {issuer} in the cluster",
            (f"Its HTTP-01 solver names ingressClassName {class_name} alone: cert-manager refuses it beside `class`.",),
            values={"issuer": issuer},
        )
    ]


def redirect_uri(team: str) -> str:
    """Where Google sends people back to [CFDOC cloudflare-one/identity/idp-integration/google]."""
    return f"{_origin(team)}/cdn-cgi/access/callback"


def _origin(team: str) -> str:
    return f"https://{team}.cloudflareaccess.com"
