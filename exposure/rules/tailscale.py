"""The tailnet: names, Funnel, Serve, its policy and the operator."""

from __future__ import annotations

import re
from collections.abc import Iterator
from ipaddress import IPv4Network
from itertools import combinations

from config.errors import show
from config.fields import LABEL
from config.services import NodeOrigin, ServiceOrigin
from config.values import Machine, MalformedError
from exposure.audience import Audience, named_people, on_tailnet
from exposure.names import FUNNEL_TAG, OPERATOR_TAG, is_web, node_tag, proxies_name, proxies_tag, service_tag
from exposure.rules.base import (
    AllStacks,
    EstateRule,
    OneService,
    OneStack,
    Problem,
    Ref,
    ServiceRule,
    StackRule,
    claimed_twice,
    listed,
)
from exposure.ways.funnel import FunnelWay
from exposure.ways.tailnet import TailnetWay
from exposure.workload import one_home

_TS = "TS cmd/k8s-operator"
_FUNNEL = "tailscale.com/kb/1223"
_DOMAIN = re.compile(LABEL.pattern + r"\.ts\.net")
_PROVIDER = "tailscale"


def _on_tailnet(family: tuple[OneStack, ...]) -> list[OneService]:
    return [s for stack in family for s in stack.by(FunnelWay, TailnetWay)]


def _served(service: OneService) -> bool:
    """Whether an Ingress of the operator serves it, under a certificate of the tailnet."""
    return service.cluster_origin is not None and is_web(service.service)


def _missing(everything: AllStacks) -> Iterator[Problem]:
    for owner, family in everything.families():
        need = [(s.key, s.ref()) for s in _on_tailnet(family)]
        need += [(str(path[1]), stack.ref(*path[:-1])) for stack in family for path, _ in stack.leads]
        if need and owner.estate and owner.estate.tailnet is None:
            yield owner.estate_ref("tailnet").problem(
                "",
                f"{listed(key for key, _ in need)} {'uses' if len(need) == 1 else 'use'} Tailscale, and the estate "
                "has no tailnet",
                "add `tailnet:` to the estate, with its `name:` from the Tailscale admin console, DNS",
                related=tuple(ref for _, ref in need),
            )


def _route_twice(everything: AllStacks) -> Iterator[Problem]:
    for _, family in everything.families():
        routes = [(s, s.node, n, r) for s in family if s.node and s.node_name for n, r in enumerate(s.node.routes)]
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


def _https(everything: AllStacks) -> Iterator[Problem]:
    for owner, family in everything.families():
        tailnet = owner.estate.tailnet if owner.estate else None
        served = [s for s in _on_tailnet(family) if _served(s)]
        if not served or tailnet is None:
            continue
        for part, field, on, what in (
            ("dns", "magic_dns", tailnet.dns.magic_dns, "names on the tailnet"),
            ("settings", "https_enabled", tailnet.settings.https_enabled, "certificates for *.ts.net names"),
        ):
            if not on:
                yield owner.estate_ref("tailnet", part, field).problem(
                    "false",
                    f"{listed(s.key for s in served)} {'is' if len(served) == 1 else 'are'} served by Funnel or "
                    f"Serve, which need {what}",
                    "remove it: it is on by default",
                    related=tuple(s.ref() for s in served),
                )


def _operator(stack: OneStack) -> Iterator[Problem]:
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


def _proxy_group(stack: OneStack) -> Iterator[Problem]:
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


def _proxy_group_unused(stack: OneStack) -> Iterator[Problem]:
    behind = (s for s in stack.by(TailnetWay) if (o := s.cluster_origin) and (_served(s) or o.selector))
    if stack.node and stack.node.proxy_group and not any(behind):
        yield Problem(
            ("node", "proxy_group"),
            "",
            "nothing goes through shared proxies here: Funnel has a proxy of its own, and so has a Service of yours"
            " that is taken as it is",
            "remove it, or say the labels of a TCP or UDP service's pods by its `selector:`",
        )


def _funnel_port(service: OneService) -> Iterator[Problem]:
    port = service.service.funnel_port
    if service.by(FunnelWay) and port not in (None, 443):
        yield service.problem(
            "funnel_port",
            port,
            "Funnel has the ports 443, 8443 and 10000, and the operator serves 443 only",
            "remove it",
        )


def _funnel_host(service: OneService) -> Iterator[Problem]:
    if service.by(FunnelWay) and service.service.said_hosts and not service.counts("host"):
        yield service.problem(
            "hosts" if service.service.hosts else "host",
            service.service.said_hosts[0],
            "Funnel serves `<name>.<tailnet>.ts.net`, and cannot serve a domain of your own",
            "remove it; `tailnet_name:` sets the first part of the name",
        )


def _name(service: OneService) -> Iterator[Problem]:
    machine = service.machine
    if not service.by(FunnelWay, TailnetWay) or machine is None or isinstance(service.service.origin, NodeOrigin):
        return
    try:
        Machine.parse(machine)
    except MalformedError as error:
        said = service.service.tailnet_name is not None
        yield service.malformed("tailnet_name", machine, error, "" if said else "add a `tailnet_name:` that is shorter")


def _name_twice(everything: AllStacks) -> Iterator[Problem]:
    for _, family in everything.families():
        if not family[0].estate or not family[0].estate.tailnet:
            continue
        claims: list[tuple[str, Ref]] = [
            (stack.node_name, stack.ref("node", "name")) for stack in family if stack.node_name is not None
        ]
        claims += [(name, stack.ref("node", "proxy_group")) for stack in family for name in _proxies(stack)]
        for service in _on_tailnet(family):
            if service.machine is not None and not isinstance(service.service.origin, NodeOrigin):
                claims.append((service.machine, service.ref("tailnet_name")))
        for name, second, first in claimed_twice(claims):
            if second.path == ("node", "name"):
                # Two nodes of one name are another rule's finding.
                continue
            of_nodes = {"name": "a node", "proxy_group": "one of a node's shared proxies"}
            other = of_nodes.get(str(first.path[1]), f"service {first.path[1]}")
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


def _service_twice(stack: OneStack) -> Iterator[Problem]:
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


def _tag_twice(everything: AllStacks) -> Iterator[Problem]:
    for owner, family in everything.families():
        claims: list[tuple[str, Ref]] = [
            (tag, Ref(owner.stack, ("estate", "tailnet"))) for tag in (FUNNEL_TAG, OPERATOR_TAG, "tag:k8s")
        ]
        claims += [(node_tag(s.node_name), s.ref("node", "name")) for s in family if s.node_name is not None]
        claims += [
            (proxies_tag(s.node_name), s.ref("node", "proxy_group"))
            for s in family
            if s.node and s.node_name and s.node.proxy_group
        ]
        for stack in family:
            for service in stack.by(TailnetWay):
                if stack.node_name and service.cluster_origin:
                    claims.append((service_tag(service.key, stack.node_name), service.ref()))
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


def _passthrough(service: OneService) -> Iterator[Problem]:
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


def _domain(stack: OneStack) -> Iterator[Problem]:
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


def _overwrite(stack: OneStack) -> Iterator[Problem]:
    tailnet = stack.estate.tailnet if stack.estate and stack.stack.owns_estate else None
    if tailnet and tailnet.overwrite_policy:
        yield Problem(
            ("estate", "tailnet", "overwrite_policy"),
            "true",
            "this replaces the tailnet's whole policy, whoever wrote it, with everything that it allowed or forbade",
            "remove it and merge by hand, or acknowledge `tailnet-policy-overwrite` under `gatehouse:acknowledge`",
        )


def _ssh(service: OneService) -> Iterator[Problem]:
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


def _scheme(service: OneService) -> Iterator[Problem]:
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


def _credentials(stack: OneStack) -> Iterator[Problem]:
    key, client = f"{_PROVIDER}:apiKey", f"{_PROVIDER}:oauthClientId"
    values = stack.stack.source.values
    if key in values and client in values:
        yield Problem(
            (key,),
            "",
            f"{key} and {client} are both there, and the provider refuses the two together",
            "remove it, and keep the OAuth client",
        )


def _rendered_operator(stack: OneStack) -> Iterator[Problem]:
    if stack.node and stack.node.tailscale_operator == "helm" and stack.node.manifests_folder:
        yield Problem(
            ("node", "tailscale_operator"),
            show("helm"),
            "rendered manifests would hold the operator's OAuth secret in clear, and a chart cannot be rendered",
            "say `tailscale_operator: existing` and install the operator by hand, or remove `manifests_folder:`",
        )


RULES = (
    StackRule(
        "operator-rendered",
        "The operator is not installed from rendered manifests",
        "pulumi-kubernetes provider, renderYamlToDirectory",
        check=_rendered_operator,
    ),
    EstateRule("tailnet-missing", "A service that uses Tailscale has a tailnet", _FUNNEL, (52,), check=_missing),
    EstateRule(
        "tailnet-route-twice",
        "A range of the home network is one home's, and is said once of a node",
        "tailscale.com/kb/1019; tailscale.com/kb/1115",
        check=_route_twice,
    ),
    ServiceRule(
        "tailnet-ssh-port",
        "A service at a node's port 22 is for the people of Tailscale SSH, which answers there",
        "tailscale.com/kb/1193; tailscale/tailscale ipn/ipnlocal/netstack.go",
        check=_ssh,
    ),
    EstateRule("tailnet-https", "Funnel and Serve have MagicDNS and HTTPS certificates", _FUNNEL, (52,), check=_https),
    StackRule(
        "tailscale-operator-missing",
        "What the cluster serves on the tailnet has the Tailscale operator",
        "tailscale.com/kb/1236",
        (52,),
        check=_operator,
    ),
    StackRule(
        "proxy-group",
        "Shared proxies have the operator, and what is behind them is deleted before it is made anew",
        f"{_TS}/svc-for-pg.go, ingress-for-pg.go",
        check=_proxy_group,
    ),
    StackRule(
        "proxy-group-unused",
        "Something goes through shared proxies",
        f"{_TS}/svc-for-pg.go",
        severity="warning",
        check=_proxy_group_unused,
    ),
    ServiceRule("funnel-port", "Funnel's port is 443", f"{_FUNNEL}; {_TS}", (51,), check=_funnel_port),
    ServiceRule("funnel-host", "Funnel has no domain of your own", _FUNNEL, (53, 33), check=_funnel_host),
    ServiceRule("tailnet-name", "A machine's name is one DNS label", _TS, (55,), check=_name),
    EstateRule(
        "tailnet-name-twice",
        "A machine's name is used once, over all stacks",
        _TS,
        (54, 55),
        check=_name_twice,
    ),
    StackRule(
        "tailnet-service-twice", "A Service that is taken as it is goes on the tailnet once", _TS, check=_service_twice
    ),
    EstateRule("tag-twice", "A tag belongs to one service", "tailscale.com/kb/1068", (56,), check=_tag_twice),
    ServiceRule(
        "tailnet-https-port",
        "The Tailscale operator speaks to a Service what the Service speaks",
        "TS cmd/k8s-operator/ingress.go, handlersForIngress",
        check=_scheme,
    ),
    ServiceRule("tailnet-tls-passthrough", "TLS is not passed through to a service", _TS, (63,), check=_passthrough),
    StackRule("tailnet-domain", "A tailnet's name ends in .ts.net", "tailscale.com/kb/1217", (55,), check=_domain),
    StackRule(
        "tailnet-policy-overwrite",
        "Replacing the tailnet's policy needs an acknowledgement",
        "TFT resource_acl.go",
        (60,),
        acceptable="stack",
        check=_overwrite,
    ),
    StackRule(
        "tailscale-credentials",
        "An auth key or an OAuth client, not both",
        "TFT provider.go",
        (62,),
        check=_credentials,
    ),
)
