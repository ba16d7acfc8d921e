"""What remains for a person, as data: in order, each with the value to enter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from config.services import Node, Service
from config.stack import Estate, Zone
from config.values import on_tailnet
from exposure.audience import Audience, named_people
from exposure.names import node_tag
from exposure.ways.tailnet import TailnetWay
from exposure.ways.way import ManualStep

GOOGLE_TEST_USERS = 100
"""Google allows 100 test users while the OAuth client is in testing [Google Cloud Console, Audience]."""
_ACME_ACCOUNTS = 10
"""Let's Encrypt makes 10 accounts in 3 hours for one address [letsencrypt.org/docs/rate-limits]."""


def for_estate(estate: Estate, logins: Iterable[Audience]) -> Iterator[ManualStep]:
    """The owner's manual steps: registrar, logins, tailnet. `logins` are all who log in."""
    for zone in estate.zones:
        yield from _registrar(zone, zone is estate.zone)
    everybody = [one for a in logins for one in a.people if one in estate.sets]
    words = sorted({w for name in everybody if not estate.sets[name].login for w in estate.members[name]})
    emails = [word for word in words if not word.startswith("@")]
    if estate.google:
        yield ManualStep(
            "google",
            "Let Google's OAuth client log these people in",
            (
                "Google Cloud Console, Credentials, the OAuth client: enter origin and redirect URI.",
                f"Audience, Test users: add each of these, {GOOGLE_TEST_USERS} at most (not needed once the client"
                " is published)."
                if words
                else "Nobody logs in with Google yet, so there is no test user to add.",
                *(f"And everybody of {word} who uses it." for word in words if word.startswith("@")),
            ),
            values={
                "Authorized origin": _origin(estate.team),
                "Authorized redirect URI": redirect_uri(estate.team),
                **{f"Test user {number}": email for number, email in enumerate(emails, 1)},
            },
        )
    for name, one in estate.sets.items():
        if one.until:
            yield ManualStep(
                f"until-{name}",
                f"Run `gatehouse up` after {one.until}, the last day of set {name}"
                + (", which is over" if one.ended else ""),
                (
                    "Nobody is taken out before that. Who is logged in then stays so for up to"
                    f" {estate.session_duration}, or a service's own `session_duration`: Cloudflare, Zero Trust, Users,"
                    " revokes that.",
                ),
            )
    for name, login in estate.logins.items():
        if login.type != "onetimepin":
            yield ManualStep(
                f"login-{name}",
                f"Let the OAuth client of login {name} send people back to Access",
                ("GitHub, Settings, Developer settings, OAuth Apps: enter both.",)
                if login.type == "github"
                else ("At the provider, the client: enter the redirect URI.",),
                values={
                    **({"Homepage URL": _origin(estate.team)} if login.type == "github" else {}),
                    "Redirect URI (callback URL)": redirect_uri(estate.team),
                },
            )
    if estate.tailnet:
        yield ManualStep(
            "tailnet-name",
            f"Give the tailnet its name {estate.tailnet.name}",
            ("Tailscale admin console, DNS, Rename tailnet: no API sets it.",),
            values={"Tailnet name": estate.tailnet.name},
        )
        settings = estate.tailnet.settings
        waiting = [
            w for w, on in (("devices", settings.devices_approval_on), ("users", settings.users_approval_on)) if on
        ]
        if waiting:
            yield ManualStep(
                "tailnet-approval",
                f"Approve new {' and '.join(waiting)} of the tailnet",
                (
                    "Tailscale admin console, Machines or Users: whoever is new waits there, and reaches nothing.",
                    # [TS cmd/k8s-operator/sts.go, newAuthKey: Preauthorized]
                    "Nodes wait too; the Tailscale operator's machines do not, since their keys approve them.",
                ),
            )


def _registrar(zone: Zone, main: bool) -> Iterator[ManualStep]:
    """What brings a domain to Cloudflare, in the one order in which it is never down, mail and signatures included.

    The zone is there by then, and answers at its own name servers alone; on the Free plan it waits 28 days [CFDOC
    dns/zone-setups/reference/domain-status, dns/zone-setups/full-setup/setup, dns/manage-dns-records/how-to].
    """
    name, here, where = zone.name, "" if main else f"-{zone.name}", "" if main else f"zones.{zone.name}."
    yield ManualStep(
        f"old-ds{here}",
        f"Remove {name}'s old DS record at its registrar, where it has one",
        (
            "The command shows it. It is of the old DNS's key: with Cloudflare's name servers, the domain would be "
            "down.",
            "Then wait until that shows nothing, for its TTL: a day, rarely two. The domain works meanwhile.",
        ),
        values={"Look": f"dig +short DS {name}"},
        zone=name,
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
        zone=name,
    )
    yield ManualStep(
        f"name-servers{here}",
        f"Point {name} to Cloudflare at its registrar",
        (
            "Replace all of the domain's name servers with these two.",
            "Leave the old DNS as it is for two days more: some resolvers still ask it.",
        ),
        outputs={"Name servers": f"{where}name_servers"},
        zone=name,
    )
    if zone.dnssec:
        yield ManualStep(
            f"ds-record{here}",
            f"Enter {name}'s new DS record at its registrar",
            (
                "Once the name servers have changed and Cloudflare says Active, not before: with a DS record and other "
                "name servers, the domain is down.",
                "Leave other fields of the form empty.",
            ),
            outputs={"DS record": f"{where}ds_record"},
            zone=name,
        )


def for_node(node: Node, estate: Estate, ways: Iterable[TailnetWay]) -> Iterator[ManualStep]:
    """The node's own manual steps on the tailnet, and those of the people who reach its machines."""
    if not estate.tailnet:
        return
    yield ManualStep(
        "tailscale-up",
        f"Join {node.name} to the tailnet with its name and tag",
        (
            # A bare `up` takes the machine's own name, and refuses to drop flags that were set before; `set` has no
            # flag for tags [tailscale/tailscale cmd/tailscale/cli/up.go, set.go].
            "A machine that is in the tailnet already may refuse the first command, and prints it with the flags"
            f" that it has: run that one. Or set its name alone, and give it the tag {node_tag(node.name)} in the"
            " admin console (Machines, Edit ACL tags).",
            *((f"`tailscale ip -4` then says {node.tailnet_ipv4}.",) if node.tailnet_ipv4 else ()),
        ),
        values={
            f"On {node.name}": f"sudo tailscale up --hostname={node.name} --advertise-tags={node_tag(node.name)}",
            "Or its name alone": f"sudo tailscale set --hostname={node.name}",
        },
    )
    yield from _leading(node)
    if estate.ssh:
        yield _tailscale_ssh(node)
    ways = list(ways)
    yield from _shared([way for way in ways if way.shared], estate)
    dns = estate.tailnet.dns
    if dns.override_local_dns and any(map(on_tailnet, dns.nameservers or ())):
        yield ManualStep(
            "node-dns",
            f"Keep {node.name} on the nameservers of its own network",
            (
                "Before the tailnet's nameservers are in force: its policy lets people's devices ask them, and no "
                "node. Without names, this node pulls no images, and cloudflared does not find Cloudflare.",
            ),
            values={f"On {node.name}": "sudo tailscale set --accept-dns=false"},
        )
    machines: dict[str, set[str]] = {}
    reached: list[tuple[str, Audience]] = [(way.machine, way.audience) for way in ways if not way.shared]
    reached += [(node.name, named_people(estate.ssh, estate))] if estate.ssh else []
    for machine, audience in reached:
        machines.setdefault(machine, set()).update(_strangers(audience, estate))
    to_share = {machine: ", ".join(sorted(people)) for machine, people in sorted(machines.items()) if people}
    if to_share:
        yield ManualStep(
            "share-machines",
            "Let these people reach these machines of the tailnet",
            (
                "Invite whoever is not a user of the tailnet yet (Tailscale admin console, Users). Users who are"
                " listed in `estate.tailnet.users` are left out here.",
                "Or share single machines with them, once `up` has made them (Machines, the machine, Share). A"
                " shared machine follows your policy too.",
            ),
            values=to_share,
        )


def _strangers(audience: Audience, estate: Estate) -> set[str]:
    """The people of an audience who are no users of the tailnet, as far as its file says."""
    return estate.who(audience.people) - set(estate.tailnet.users if estate.tailnet else ())


def _shared(ways: list[TailnetWay], estate: Estate) -> Iterator[ManualStep]:
    """What the people, and machines, of Tailscale Services do [tailscale.com/kb/1439; tailscale#18326]."""
    if not ways:
        return
    tags = sorted({tag for way in ways for tag in way.audience.machines})
    strangers = sorted({email for way in ways for email in _strangers(way.audience, estate)})
    yield ManualStep(
        "tailscale-services",
        f"Let Linux devices take the addresses of {', '.join(sorted({way.machine for way in ways}))}",
        (
            "Their shared proxies have them as routes, which Linux does not take by itself. The command takes those of"
            " subnet routers too, so not on a machine that is in such a network itself.",
            *((f"That is each Linux machine with {', '.join(tags)} too.",) if tags else ()),
            "A machine that was up before is made anew as one of these: its name stays, and for some minutes nothing"
            " answers there.",
            *(
                (
                    "Invite these people (Tailscale admin console, Users), for what is behind shared proxies cannot be"
                    f" shared with them: {', '.join(strangers)}. Leave out who is a user already, or list them under"
                    " `estate.tailnet.users`.",
                )
                if strangers
                else ()
            ),
        ),
        values={"On Linux": "sudo tailscale set --accept-routes"},
    )


def _leading(node: Node) -> Iterator[ManualStep]:
    """What makes a node lead to the home network or the internet [tailscale.com/kb/1019; tailscale.com/kb/1103]."""
    offered = [f"--advertise-routes={','.join(route.to for route in node.routes)}"] if node.routes else []
    offered += ["--advertise-exit-node"] if node.exit_node else []
    # IPv6 only where it is led on: a machine that passes it on takes no address from its router any more.
    kernel = ["net.ipv4.ip_forward", *["net.ipv6.conf.all.forwarding"] * bool(node.exit_node)]
    lines = "".join(f"{key} = 1\\n" for key in kernel)
    steps = [
        "The first command has Linux pass on what is not for itself. The tailnet's policy approves what the second one "
        "offers; other routes that the machine offers stop with it."
    ]
    if node.routes:
        steps.append(
            "People's devices take a route by themselves, but for Linux, which needs `sudo tailscale set "
            "--accept-routes`. Who takes it is a user of the tailnet: a machine that is shared shares no route."
        )
    if node.exit_node:
        steps.append("People choose the exit node in Tailscale's menu on their device.")
    if offered:
        yield ManualStep(
            "tailscale-routes",
            f"Let {node.name} lead people to the {'home network' if node.routes else 'internet'}"
            + (" and the internet" if node.routes and node.exit_node else ""),
            tuple(steps),
            values={
                "Forwarding": f"printf '{lines}' | sudo tee /etc/sysctl.d/99-tailscale.conf"
                " && sudo sysctl -p /etc/sysctl.d/99-tailscale.conf",
                f"On {node.name}": f"sudo tailscale set {' '.join(offered)}",
            },
        )


def _tailscale_ssh(node: Node) -> ManualStep:
    """What turns Tailscale SSH on [tailscale.com/kb/1193; tailscale/tailscale cmd/tailscale/cli/set.go, risks.go]."""
    return ManualStep(
        "tailscale-ssh",
        f"Turn on Tailscale SSH on {node.name}",
        (
            "After `gatehouse up` of the estate's owner: before that, the policy lets nobody in, and Tailscale may "
            "refuse it.",
            "It takes port 22 on the tailnet from sshd, so a session by that address ends, and the command asks first "
            f"(`--accept-risk=lose-ssh` answers). Come by {node.lan_ipv4}, where sshd answers as before, with its "
            "keys.",
            "Turn it off before `ssh:` is taken out of the stack file: else nobody logs in on the tailnet.",
        ),
        values={
            f"On {node.name}": "sudo tailscale set --ssh",
            "Off again": "sudo tailscale set --ssh=false",
        },
    )


def for_operator(installed_by: str, ingresses: int, shared: bool) -> Iterator[ManualStep]:
    """The Tailscale operator, where Gatehouse does not install it; `shared` proxies need 1.84 [kb/1439]."""
    if ingresses and installed_by != "helm":
        yield ManualStep(
            "tailscale-operator",
            "Have the Tailscale operator in the cluster",
            (
                "Install chart tailscale/tailscale-operator in namespace tailscale with an OAuth client of tag"
                " tag:k8s-operator and the write scopes Devices Core, Auth Keys and Services,"
                " or set `node.tailscale_operator: helm`.",
                *(("Shared proxies need version 1.84 or newer, with its CRDs (`installCRDs`).",) if shared else ()),
                "Until it runs, the Ingresses of class tailscale wait; nothing else does.",
            ),
        )


def for_tailnet_certificates(machines: int) -> Iterator[ManualStep]:
    """What to do where Let's Encrypt does not certify so many machines of the tailnet at once.

    Each proxy has an account of its own there, and asks for its certificate when it is first opened [tailscale#11119].
    50 certificates a week are for one domain, which a tailnet's is, since `ts.net` is a public suffix.
    """
    if machines > _ACME_ACCOUNTS:
        yield ManualStep(
            "tailnet-certificates",
            f"Open new machines of the tailnet ten at a time, three hours apart: there are {machines}",
            (
                "A machine gets its certificate when it is first opened, and Let's Encrypt certifies ten in three "
                "hours from one address, and 50 a week in one tailnet. Until then, browsers show a TLS error, which "
                "ends by itself.",
                "Machines that have worked before are not concerned.",
            ),
        )


def for_certificates(services: Mapping[str, Service], issuer: str, class_name: str) -> Iterator[ManualStep]:
    """cert-manager's issuer, where a service renews its own certificate."""
    if any(s.own_certificate for s in services.values()):
        yield ManualStep(
            "cluster-issuer",
            f"Have cert-manager's ClusterIssuer {issuer} in the cluster",
            (f"Its HTTP-01 solver names ingressClassName {class_name} alone: cert-manager refuses it beside `class`.",),
            values={"ClusterIssuer": issuer},
        )


def redirect_uri(team: str) -> str:
    """Where Google sends people back to [CFDOC cloudflare-one/identity/idp-integration/google]."""
    return f"{_origin(team)}/cdn-cgi/access/callback"


def _origin(team: str) -> str:
    return f"https://{team}.cloudflareaccess.com"
