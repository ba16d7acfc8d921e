"""The tailnet: names, Funnel, Serve, its policy and the operator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations

from config.errors import Path_, show
from config.fields import LABEL
from config.services import NodeOrigin, ServiceOrigin
from config.values import Machine, MalformedError
from exposure.audience import Audience, named_people, on_tailnet
from exposure.names import FUNNEL_TAG, OPERATOR_TAG, is_web, node_tag, proxies_name, proxies_tag, service_tag
from exposure.rules.base import Family, OneService, OneStack, Problem, Ref, Rules, claimed_twice, listed
from exposure.ways.funnel import FunnelWay
from exposure.ways.tailnet import TailnetWay
from exposure.workload import one_home

RULES = Rules()
_TS = "TS cmd/k8s-operator"
_FUNNEL = "tailscale.com/kb/1223"
_DOMAIN = re.compile(LABEL.pattern + r"\.ts\.net")
_PROVIDER = "tailscale"


def _served(service: OneService) -> bool:
    """Whether an Ingress of the operator serves it, under a certificate of the tailnet."""
    return service.cluster_origin is not None and is_web(service.service)


@RULES.family("tailnet-missing", _FUNNEL, (52,))
def _missing(family: Family) -> Iterator[Problem]:
    """A service that uses Tailscale has a tailnet."""
    need = [(s.key, s.ref()) for s in family.by(FunnelWay, TailnetWay)]
    need += [(str(path[1]), stack.ref(*path[:-1])) for stack in family.stacks for path, _ in stack.leads]
    if need and family.estate and not family.tailnet:
        yield family.owner.estate_ref("tailnet").problem(
            "",
            f"{listed(key for key, _ in need)} {'uses' if len(need) == 1 else 'use'} Tailscale, and the estate "
            "has no tailnet",
            "add `tailnet:` to the estate, with its `name:` from the Tailscale admin console, DNS",
            related=tuple(ref for _, ref in need),
        )


@RULES.family("tailnet-route-twice", "tailscale.com/kb/1019; tailscale.com/kb/1115")
def _route_twice(family: Family) -> Iterator[Problem]:
    """A range of the home network is one home's, and is said once of a node."""
    routes = [(s, s.node, n, r) for s in family.stacks if s.node and s.node_name for n, r in enumerate(s.node.routes)]
    for (other, beside, earlier, same), (one, node, number, route) in combinations(routes, 2):
        # Two nodes of one home may lead to the same range: one takes over where the other is down [kb/1115].
        twice = one is other and route.to == same.to
        apart = one is not other and not one_home(node, beside)
        if twice or (apart and IPv4Network(route.to).overlaps(IPv4Network(same.to))):
            yield one.ref("node", "routes", number).problem(
                route.to,
                "this range is there already"
                if twice
                else f"{beside.name} leads to {same.to} of another home: an address of both would be reached at "
                "whichever Tailscale takes",
                "remove it, and let the people of both in by the other"
                if twice
                else "remove it, or give one of the two homes another range at its router",
                related=(other.ref("node", "routes", earlier),),
            )


@RULES.family("tailnet-https", _FUNNEL, (52,))
def _https(family: Family) -> Iterator[Problem]:
    """Funnel and Serve have MagicDNS and HTTPS certificates."""
    tailnet = family.tailnet
    served = [s for s in family.by(FunnelWay, TailnetWay) if _served(s)]
    if not served or tailnet is None:
        return
    for part, field, on, what in (
        ("dns", "magic_dns", tailnet.dns.magic_dns, "names on the tailnet"),
        ("settings", "https_enabled", tailnet.settings.https_enabled, "certificates for *.ts.net names"),
    ):
        if not on:
            yield family.owner.estate_ref("tailnet", part, field).problem(
                "false",
                f"{listed(s.key for s in served)} {'is' if len(served) == 1 else 'are'} served by Funnel or "
                f"Serve, which need {what}",
                "remove it: it is on by default",
                related=tuple(s.ref() for s in served),
            )


@RULES.stack("tailscale-operator-missing", "tailscale.com/kb/1236", (52,))
def _operator(stack: OneStack) -> Iterator[Problem]:
    """What the cluster serves on the tailnet has the Tailscale operator."""
    need = [s for s in stack.by(FunnelWay, TailnetWay) if s.cluster_origin]
    if stack.node and stack.node.tailscale_operator == "none" and need:
        yield Problem(
            ("node", "tailscale_operator"),
            '"none"',
            f"the Tailscale operator puts {listed(s.key for s in need)} on the tailnet, and this node has none, so "
            "nothing would answer",
            "say `tailscale_operator: helm` to have it installed, or `existing` if it is installed",
            related=tuple(s.ref() for s in need),
        )


def _proxies(stack: OneStack) -> list[str]:
    """The names of the machines that are a node's shared proxies."""
    said = stack.node.proxy_group if stack.node and stack.node_name else None
    return [f"{proxies_name(str(stack.node_name))}-{number}" for number in range(said.replicas if said else 0)]


@RULES.stack("proxy-group", f"{_TS}/svc-for-pg.go, ingress-for-pg.go")
def _proxy_group(stack: OneStack) -> Iterator[Problem]:
    """Shared proxies have the operator, and what is behind them is deleted before it is made anew."""
    if not stack.node or not stack.node.proxy_group:
        return
    at = stack.ref("node", "proxy_group")
    if stack.node.tailscale_operator == "none":
        reason = "shared proxies are the Tailscale operator's, and this node has none"
        yield at.problem("", reason, "say `tailscale_operator: helm`, or remove it")
    if stack.node.manifests_folder:
        yield at.problem(
            "",
            "what goes behind shared proxies, or comes back from them, has to be deleted and made anew. A GitOps tool"
            " changes it in place: the operator's finalizer stays then, and it cannot be deleted any more",
            "remove it, or remove `manifests_folder:`",
        )
    for name in _proxies(stack)[-1:]:
        try:
            Machine.parse(name)
        except MalformedError as error:
            yield at.problem(show(name), f"a proxy would have this name on the tailnet: {error}", "remove it")


@RULES.stack("proxy-group-unused", f"{_TS}/svc-for-pg.go", severity="warning")
def _proxy_group_unused(stack: OneStack) -> Iterator[Problem]:
    """Something goes through shared proxies."""
    behind = (s for s in stack.by(TailnetWay) if (o := s.cluster_origin) and (_served(s) or o.selector))
    if stack.node and stack.node.proxy_group and not any(behind):
        yield Problem(
            ("node", "proxy_group"),
            "",
            "nothing goes through shared proxies here: Funnel has a proxy of its own, and so has a Service of yours"
            " that is taken as it is",
            "remove it, or say the labels of a TCP or UDP service's pods by its `selector:`",
        )


@RULES.service("funnel-port", f"{_FUNNEL}; {_TS}", (51,))
def _funnel_port(service: OneService) -> Iterator[Problem]:
    """Funnel's port is 443."""
    port = service.service.funnel_port
    if service.by(FunnelWay) and port not in (None, 443):
        yield service.problem(
            "funnel_port",
            port,
            "Funnel has the ports 443, 8443 and 10000, and the operator serves 443 only",
            "remove it",
        )


@RULES.service("funnel-host", _FUNNEL, (53, 33))
def _funnel_host(service: OneService) -> Iterator[Problem]:
    """Funnel has no domain of your own."""
    if service.by(FunnelWay) and service.service.said_hosts and not service.counts("host"):
        yield service.problem(
            "hosts" if service.service.hosts else "host",
            service.service.said_hosts[0],
            "Funnel serves `<name>.<tailnet>.ts.net`, and cannot serve a domain of your own",
            "remove it; `tailnet_name:` sets the first part of the name",
        )


@RULES.service("tailnet-name", _TS, (55,))
def _name(service: OneService) -> Iterator[Problem]:
    """A machine's name is one DNS label."""
    machine = service.machine
    if not service.by(FunnelWay, TailnetWay) or machine is None or isinstance(service.service.origin, NodeOrigin):
        return
    try:
        Machine.parse(machine)
    except MalformedError as error:
        said = service.service.tailnet_name is not None
        yield service.malformed("tailnet_name", machine, error, "" if said else "add a `tailnet_name:` that is shorter")


@RULES.family("tailnet-name-twice", _TS, (54, 55))
def _name_twice(family: Family) -> Iterator[Problem]:
    """A machine's name is used once, over all stacks."""
    if not family.tailnet:
        return
    claims: list[tuple[str, Ref]] = [
        (stack.node_name, stack.ref("node", "name")) for stack in family.stacks if stack.node_name is not None
    ]
    claims += [(name, stack.ref("node", "proxy_group")) for stack in family.stacks for name in _proxies(stack)]
    for service in family.by(FunnelWay, TailnetWay):
        if service.machine is not None and not isinstance(service.service.origin, NodeOrigin):
            claims.append((service.machine, service.ref("tailnet_name")))
    for name, second, first in claimed_twice(claims):
        if second.path == ("node", "name"):
            # Two nodes of one name are another rule's finding.
            continue
        of_nodes: dict[Path_, str] = {
            ("node", "name"): "a node",
            ("node", "proxy_group"): "one of a node's shared proxies",
        }
        other = of_nodes.get(first.path, f"service {first.path[1]}")
        if second.path[0] == "node":
            reason = f"{other} has this name on the tailnet, and so has one of the shared proxies"
            yield second.problem(show(name), reason, "give that node another name, or remove it", related=(first,))
            continue
        yield second.problem(
            show(name),
            f"{other} has this name on the tailnet: Tailscale would rename one of the two (`{name}-1`), and a "
            "name is either Serve or Funnel",
            "set another `tailnet_name:`, or, where both are TCP or UDP of one Service, put both ports under "
            "one service by `other_ports:`",
            related=(first,),
        )


@RULES.stack("tailnet-service-twice", _TS)
def _service_twice(stack: OneStack) -> Iterator[Problem]:
    """A Service that is taken as it is goes on the tailnet once."""
    claims = [
        (f"{origin.namespace}/{origin.service}", s.ref("origin"))
        for s in stack.by(TailnetWay)
        if (origin := s.cluster_origin) and not origin.selector and not _served(s)
    ]
    for what, second, first in claimed_twice(claims):
        yield Problem(
            second.path,
            show(what),
            f"service {first.path[1]} puts this Service on the tailnet already: a Service has one name and one tag "
            "there, and the two would undo each other's work at every `up`",
            f"list this port under `other_ports:` of {first.path[1]} and remove this service, or give both a "
            "`selector:`",
            related=(first,),
        )


@RULES.family("tag-twice", "tailscale.com/kb/1068", (56,))
def _tag_twice(family: Family) -> Iterator[Problem]:
    """A tag belongs to one service."""
    claims: list[tuple[str, Ref]] = [
        (tag, Ref(family.owner.stack, ("estate", "tailnet"))) for tag in (FUNNEL_TAG, OPERATOR_TAG, "tag:k8s")
    ]
    claims += [(node_tag(s.node_name), s.ref("node", "name")) for s in family.stacks if s.node_name is not None]
    claims += [
        (proxies_tag(s.node_name), s.ref("node", "proxy_group"))
        for s in family.stacks
        if s.node and s.node_name and s.node.proxy_group
    ]
    for service in family.by(TailnetWay):
        if service.inside.node_name and service.cluster_origin:
            claims.append((service_tag(service.key, service.inside.node_name), service.ref()))
    for tag, second, first in claimed_twice(claims):
        if second.path[0] != "services":
            continue
        other = f"service {first.path[1]}" if first.path[0] == "services" else "another part of the tailnet"
        yield second.problem(
            show(tag),
            f"{other} has this tag already, and a grant for one would open the other",
            "give the service another key",
            related=(first,),
        )


def _pods_no_more(origin: ServiceOrigin) -> str:
    """What Serve has no use for."""
    said = [key for key in ("selector", "target_port", "other_ports") if getattr(origin, key)]
    return f"; remove {listed(f'`{key}:`' for key in said)}" if said else ""


@RULES.service("tailnet-tls-passthrough", _TS, (63,))
def _passthrough(service: OneService) -> Iterator[Problem]:
    """TLS is not passed through to a service."""
    origin = service.cluster_origin
    if not service.by(TailnetWay) or origin is None or _served(service):
        return
    ports: list[tuple[tuple[str | int, ...], int, str]] = [(("scheme",), origin.port, origin.scheme)]
    others = enumerate(origin.other_ports or ())
    for path, port, protocol in (*ports, *((("other_ports", i, "port"), p.port, p.protocol) for i, p in others)):
        if port == 443 and protocol == "tcp":
            main = path == ("scheme",)
            yield service.problem(
                ("origin", *path),
                "tcp" if main else port,
                "TLS would pass through to the service, which has no certificate for its `*.ts.net` name",
                f"say `scheme: https`, and the Tailscale proxy shows the tailnet's certificate{_pods_no_more(origin)}"
                if main
                else "make it a service of its own, with `scheme: https` and another `tailnet_name:`",
            )


@RULES.stack("tailnet-domain", "tailscale.com/kb/1217", (55,))
def _domain(stack: OneStack) -> Iterator[Problem]:
    """A tailnet's name ends in .ts.net."""
    tailnet = stack.estate.tailnet if stack.estate and stack.stack.owns_estate else None
    if tailnet and not _DOMAIN.fullmatch(tailnet.name):
        first = tailnet.name.lower().split(".")[0]
        yield Problem(
            ("estate", "tailnet", "name"),
            show(tailnet.name),
            "a tailnet's name ends in `.ts.net`, and Funnel and certificates work with no other",
            "copy the name from the Tailscale admin console, DNS",
            f"{first}.ts.net" if LABEL.fullmatch(first) else "",
        )


@RULES.stack("tailnet-policy-overwrite", "TFT resource_acl.go", (60,), acceptable="stack")
def _overwrite(stack: OneStack) -> Iterator[Problem]:
    """Replacing the tailnet's policy needs an acknowledgement."""
    tailnet = stack.estate.tailnet if stack.estate and stack.stack.owns_estate else None
    if tailnet and tailnet.overwrite_policy:
        yield Problem(
            ("estate", "tailnet", "overwrite_policy"),
            "true",
            "this replaces the tailnet's whole policy, whoever wrote it, with everything that it allowed or forbade",
            "remove it and merge by hand, or acknowledge `tailnet-policy-overwrite` under `gatehouse:acknowledge`",
        )


@RULES.service("tailnet-ssh-port", "tailscale.com/kb/1193; tailscale/tailscale ipn/ipnlocal/netstack.go")
def _ssh(service: OneService) -> Iterator[Problem]:
    """A service at a node's port 22 is for the people of Tailscale SSH, which answers there."""
    estate, origin = service.estate, service.service.origin
    ssh = estate.ssh if estate else None
    at_ssh = isinstance(origin, NodeOrigin) and origin.port == 22 and origin.scheme != "udp"
    if estate is None or ssh is None or not at_ssh or not service.by(TailnetWay):
        return
    here, there = on_tailnet(service.service, estate), named_people(ssh, estate)
    if not here.people | there.people <= set(estate.sets):
        return
    inside, outside = estate.who(there.people), {*estate.who(here.people), *here.machines}
    if inside != outside:
        away, past = listed(sorted(outside - inside)), listed(sorted(inside - outside))
        fewer = here.people and not here.machines and not away
        yield service.problem(
            "people",
            str(here),
            "Tailscale SSH (`estate.tailnet.ssh`) answers at port 22 of the node on the tailnet, in place of sshd, and "
            + " and ".join(
                [f"turns away {away}"] * bool(away) + [f"lets in {past}, whom this leaves out"] * bool(past)
            ),
            f"say `people: {_sets(there)}`"
            + ", and remove `machines:`" * bool(here.machines)
            + f"; or let fewer log in, by `ssh: {{people: {_sets(here)}}}`" * bool(fewer)
            + "; or remove the service, since `ssh:` opens the port by itself",
            related=(service.inside.estate_ref("tailnet", "ssh"),),
        )


def _sets(audience: Audience) -> str:
    names = sorted(audience.people)
    return names[0] if len(names) == 1 else f"[{', '.join(names)}]"


@RULES.service("tailnet-https-port", "TS cmd/k8s-operator/ingress.go, handlersForIngress")
def _scheme(service: OneService) -> Iterator[Problem]:
    """The Tailscale operator speaks to a Service what the Service speaks."""
    origin = service.cluster_origin
    if origin is None or not _served(service) or not service.by(FunnelWay, TailnetWay):
        return
    speaks_https = origin.port == 443 or origin.port_name == "https"
    if origin.scheme == "https" and not speaks_https:
        yield service.problem(
            ("origin", "port"),
            origin.port,
            "the Tailscale operator speaks https only to port 443 and to a port named `https`; to this one it speaks "
            "plain http, and people get 502",
            "give the Service's port the name `https` (`spec.ports[].name`) and say `port_name: https`, or name a port "
            "443 of the Service",
        )
    elif origin.scheme == "http" and origin.port == 443:
        yield service.problem(
            ("origin", "port"),
            origin.port,
            "the Tailscale operator speaks https to port 443, and this origin is plain http: people get 502",
            "say `scheme: https` if it speaks that, or give the Service another port for http, such as 80",
        )


@RULES.stack("tailscale-credentials", "TFT provider.go", (62,))
def _credentials(stack: OneStack) -> Iterator[Problem]:
    """An auth key or an OAuth client, not both."""
    key, client = f"{_PROVIDER}:apiKey", f"{_PROVIDER}:oauthClientId"
    values = stack.stack.source.values
    if key in values and client in values:
        yield Problem(
            (key,),
            "",
            f"{key} and {client} are both there, and the provider refuses the two together",
            "remove it, and keep the OAuth client",
        )


@RULES.stack("operator-rendered", "pulumi-kubernetes provider, renderYamlToDirectory")
def _rendered_operator(stack: OneStack) -> Iterator[Problem]:
    """The operator is not installed from rendered manifests."""
    if stack.node and stack.node.tailscale_operator == "helm" and stack.node.manifests_folder:
        yield Problem(
            ("node", "tailscale_operator"),
            show("helm"),
            "rendered manifests would hold the operator's OAuth secret in clear, and a chart cannot be rendered",
            "say `tailscale_operator: existing` and install the operator by hand, or remove `manifests_folder:`",
        )
