"""What remains for a person, as data: in order, each with the value to enter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from config.services import Node, Service
from config.stack import Estate, Zone
from exposure.audience import Audience
from exposure.names import node_tag
from exposure.ways.way import ManualStep

_GOOGLE_TEST_USERS = 100
"""Google allows 100 test users while the OAuth client is in testing [Google Cloud Console, Audience]."""


def for_estate(estate: Estate, logins: Iterable[Audience]) -> list[ManualStep]:
    """The owner's manual steps: registrar, Google, tailnet. `logins` are all who log in with Google."""
    items = [step for zone in estate.zones for step in _registrar(zone, zone is estate.zone)]
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


def _registrar(zone: Zone, main: bool) -> Iterator[ManualStep]:
    """What brings a domain to Cloudflare, in the one order in which it is never down, mail and signatures included.

    The zone is there by then, and answers at its own name servers alone; on the Free plan it waits 28 days [CFDOC
    dns/zone-setups/reference/domain-status, dns/zone-setups/full-setup/setup, dns/manage-dns-records/how-to].
    """
    name, here, where = zone.name, "" if main else f"-{zone.name}", "" if main else f"zones.{zone.name}."
    names, ds = f"{where}name_servers", f"{where}ds_record"
    values = {"zone": name}
    yield ManualStep(
        f"old-ds{here}",
        f"Remove {name}'s old DS record at its registrar, where it has one",
        (
            f"`dig +short DS {name}` shows it. It is of the old DNS's key: with Cloudflare's name servers, the domain "
            "would be down.",
            "Then wait until that shows nothing, for its TTL: a day, rarely two. The domain works meanwhile.",
        ),
        values=values,
    )
    yield ManualStep(
        f"records{here}",
        f"Bring {name}'s records to Cloudflare, where it has some elsewhere",
        (
            "A new domain has none. For another, the first `up` has made the zone, and nobody asks it before the name "
            "servers change; where they have not changed after 28 days, the Free plan deletes it.",
            "Export the old DNS's zone file. At Cloudflare (the domain, DNS, Records, Import and Export) import it "
            "with `Proxy imported DNS records` off, without NS, SOA and the names that your services have.",
            "Compare the two lists, mail first: MX and the host it names; SPF (TXT, `v=spf1`), DKIM (TXT or CNAME at "
            "`selector._domainkey`), DMARC (TXT at `_dmarc`); then SRV, CAA and every other name.",
            "At the old DNS, set the TTLs to 300 seconds, and wait until the former ones are over.",
        ),
        values=values,
    )
    yield ManualStep(
        f"name-servers{here}",
        f"Point {name} to Cloudflare at its registrar",
        (
            f"Replace all of the domain's name servers with the two in output `{names}`.",
            "Leave the old DNS as it is for two days more: some resolvers still ask it.",
        ),
        outputs=(names,),
        values=values,
    )
    if zone.dnssec:
        yield ManualStep(
            f"ds-record{here}",
            f"Enter {name}'s new DS record at its registrar",
            (f"Once the name servers have changed and Cloudflare says Active, not before: the one in output `{ds}`.",),
            outputs=(ds,),
            values=values,
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
