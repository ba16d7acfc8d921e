"""From the stack file to the plan: pure, and it names every resource that will be registered."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from config.loader import LoadedStack
from config.services import Node, Service
from config.stack import Estate, owner_reference, owner_stack
from config.values import Host
from exposure import estate as one
from exposure import manual_steps
from exposure.audience import NOBODY, Audience, named_people
from exposure.decide import chosen
from exposure.model import AccessApplication, DnsRecord, ExposurePlan, Json, Limits, PlannedService
from exposure.names import title_of
from exposure.tailnet import machines_of, policy, routed, taken
from exposure.ways import WAYS
from exposure.ways.funnel import FunnelWay
from exposure.ways.tailnet import TailnetWay
from exposure.ways.way import Facts, ManualStep, Way
from exposure.workload import through, workloads


def plan_stack(stack: LoadedStack, project: Mapping[str, LoadedStack]) -> ExposurePlan:
    """The plan of one stack whose findings are empty; `project` holds every stack, for what they share.

    Raises ValueError where the stack was not checked first.
    """
    config, estate = stack.config, stack.estate
    if config is None or estate is None or any(f.severity == "error" for f in stack.findings):
        raise ValueError(f"stack {stack.name} has findings; check it first")
    node = config.node
    services = plan_services(config.services, node, estate)
    ways = [way for service in services for way in service.ways]
    claims = one.claims(ways)
    owner = owner_reference(config.member_of) if config.member_of else None
    logins: tuple[Audience, ...] = ()
    guarded: list[AccessApplication] = []
    tokens: tuple[tuple[str, ...], ...] = ()
    nobody = False
    tailnet_policy, policy_text, use = None, None, None
    if owner is None:
        members = [s for s in project.values() if s.config and s.estate is estate]
        stacks = [ways if member is stack else _ways(member, estate) for member in members]
        family = [way for member in stacks for way in member]
        guarded = [a for member in stacks for a in one.applications(one.claims(member))]
        logins = tuple({a.audience for a in guarded if a.audience.people})
        tokens = one.token_sets(a.audience for a in guarded)
        nobody = any(a.audience == NOBODY for a in guarded)
        if estate.tailnet:
            nodes = [m.config.node for m in members if m.config]
            tailnet_policy, policy_text = estate_policy(estate, nodes, family, stack.own_policy)
            use = _taken(estate, nodes, family, stack.own_policy)
    records = list(one.records(ways, estate))
    if node.public_record and node.router_ipv4:
        host = Host(f"{node.name}.{estate.zone.name}")
        records.append(DnsRecord(node.name, host, estate.zone.name, node.router_ipv4))
    return ExposurePlan(
        stack=stack.name,
        owner=owner,
        estate=estate,
        home=node,
        services=services,
        rules=one.rules(claims),
        applications=one.applications(claims),
        records=tuple(records),
        redirects=one.redirects(ways, estate),
        people=one.with_sessions(one.people_sets(logins, estate), guarded),
        token_sets=tokens,
        nobody=nobody,
        tailnet_policy=tailnet_policy,
        tailnet_policy_text=policy_text,
        tailnet_taken=use,
        manual_steps=tuple(_manual_steps(stack.name, node, estate, owner, ways, config.services, logins)),
        adopt=dict(sorted(config.adopt.items())),
        recover=dict(sorted(config.recover.items())),
    )


def plan_services(services: Mapping[str, Service], node: Node, estate: Estate) -> tuple[PlannedService, ...]:
    """Each service with its ways, in the order in which people are shown them: by gate, then by key."""
    planned = []
    ends = workloads(services, node)
    for key, service in services.items():
        decisions = chosen(service)
        facts = Facts(key, service, node, estate, services)
        planned.append(
            PlannedService(
                key,
                title_of(key, service),
                ends[key],
                through(service, node),
                tuple(WAYS[d.gate].plan(facts) for d in decisions),
                tuple(d.reason for d in decisions),
                bool(service.asked),
            )
        )
    order = list(WAYS)
    return tuple(sorted(planned, key=lambda s: (order.index(s.ways[0].gate), s.key)))


def estate_policy(
    estate: Estate, nodes: Sequence[Node], ways: Sequence[Way], own: str | None = None
) -> tuple[dict[str, Json], str | None]:
    """The tailnet's policy from the ways of every stack of the estate, and with `own` its text, comments and all.

    Raises ValueError for an own policy that was not checked.
    """
    generated = generated_policy(estate, nodes, ways, own)
    if own is None:
        return generated, None
    from exposure import own_policy

    text = own_policy.merged(own, own_policy.tests_that_hold(own, generated, nodes))
    return own_policy.value(text), text


def generated_policy(
    estate: Estate, nodes: Sequence[Node], ways: Sequence[Way], own: str | None = None
) -> dict[str, Json]:
    """What the services and nodes need of the policy, beside an own one that may refer to sets of people."""
    named: set[str] = set()
    defined: set[str] = set()
    if own is not None:
        from exposure import own_policy

        document = own_policy.parse(own)
        named, defined = own_policy.words(document), own_policy.tags(document)
    funnels = any(isinstance(way, FunnelWay) for way in ways)
    grants = [grant for way in ways for grant in way.grants()]
    leads = [lead for node in sorted(nodes, key=lambda node: node.name) for lead in routed(node, estate)]
    return policy(estate, sorted(node.name for node in nodes), grants, funnels, named, defined, leads)


def _taken(estate: Estate, nodes: Sequence[Node], ways: Sequence[Way], own: str | None) -> Limits:
    sets = {name for way in ways for grant in way.grants() for name in grant.people}
    sets |= {name for node in nodes for lead in routed(node, estate) for name in lead.people}
    sets |= named_people(estate.ssh, estate).people if estate.ssh else set()
    proxied = {w.machine for w in ways if isinstance(w, FunnelWay) or (isinstance(w, TailnetWay) and not w.on_node)}
    return taken(estate, sets, len(proxied) + machines_of(nodes), own)


def _ways(stack: LoadedStack, estate: Estate) -> list[Way]:
    assert stack.config
    planned = plan_services(stack.config.services, stack.config.node, estate)
    return [way for service in planned for way in service.ways]


def _manual_steps(
    stack: str,
    node: Node,
    estate: Estate,
    owner: str | None,
    ways: Sequence[Way],
    services: Mapping[str, Service],
    logins: Sequence[Audience],
) -> Iterable[ManualStep]:
    proxied = [w for w in ways if isinstance(w, FunnelWay) or (isinstance(w, TailnetWay) and not w.on_node)]
    private = any(way.grants() for way in ways)
    if owner is None:
        yield from manual_steps.for_estate(estate, logins)
    elif private or proxied:
        yield ManualStep(
            "owner-first",
            "Bring the estate's owner up first",
            (f"Its tailnet policy names what {node.name} offers.",),
            values={"Run": f"gatehouse up --stack {owner_stack(owner)}"},
        )
    yield from manual_steps.for_node(node, estate, [w for w in ways if isinstance(w, TailnetWay)])
    shared = any(isinstance(w, TailnetWay) and w.shared for w in proxied)
    yield from manual_steps.for_operator(node.tailscale_operator, len(proxied), shared)
    # Shared proxies have one account at Let's Encrypt, and ask for every certificate at once.
    served = [w for w in proxied if isinstance(w, FunnelWay) or (w.served and not w.shared)]
    yield from manual_steps.for_tailnet_certificates(len(served))
    yield from manual_steps.for_certificates(
        services, node.ingress_controller.cluster_issuer, node.ingress_controller.class_name
    )
    for way in ways:
        yield from way.manual_steps(node)
    if node.manifests_folder:
        yield ManualStep(
            "connector-secret",
            "Give the connector its token",
            ("The rendered manifests hold no secret, so the cluster gets it by hand.",),
            values={
                "Run": f"kubectl -n {node.connector.namespace} create secret generic cloudflared-token"
                f' --from-literal=token="$(gatehouse pulumi stack output --show-secrets tunnel_token --stack {stack})"'
            },
        )
