"""Random worlds for the naive reading, and the same worlds as the product sees them."""

from __future__ import annotations

from random import Random

from exposure.model import Json
from exposure.reach import surface as s
from exposure.reach.access import ANYONE, LAN, MEMBER, Principal
from exposure.reach.surface import Surface
from exposure.workload import Protocol
from tests.exposure.reach.naive import ZONE, World

ROUTER = "203.0.113.7"
HOSTS = ("a", "b", "ab", "x.a", "y.x.a", "x.b")
PATTERNS = (
    *(f"{h}.{ZONE}" for h in HOSTS),
    ZONE,
    f"*.{ZONE}",
    f"*.a.{ZONE}",
    f"a*.{ZONE}",
    f"*b.{ZONE}",
    f"*.*.{ZONE}",
)
RULE_HOSTS = (*(f"{h}.{ZONE}" for h in HOSTS), ZONE, f"*.{ZONE}", f"*.a.{ZONE}", f"*.x.a.{ZONE}", f"*{ZONE}")
RECORD_HOSTS = (*(f"{h}.{ZONE}" for h in HOSTS), ZONE, f"*.{ZONE}", f"*.a.{ZONE}", f"*.x.a.{ZONE}")
APP_PATHS = ("", "", "", "/api", "/api/v1", "/api/*", "/*", "/", "/a*/b", "/*.css", "/pub")
EXPRESSIONS = (
    None,
    None,
    "^/api(/|$)",
    "/api",
    "^/api",
    "^/pub",
    r"\.css$",
    "^/a.*b",
    "v[0-9]",
    "^/(api|pub)/",
    "^$",
    "/",
)
PATHS = (
    *(
        "/",
        "/api",
        "/api/",
        "/api/v1",
        "/api/v1/x",
        "/apis",
        "/x/api",
        "/pub",
        "/pub/x.css",
        "/a/b",
        "/ab/b/c",
        "/a/x/y/b",
    ),
    *("/b", "/x.css", "/x.css/y", "/api/v1x", "/A", "/API"),
)
PEOPLE = ("ada@example.com", "ben@example.com", "cleo@other.example", "dan@other.example")
TAGS = ("tag:one", "tag:two", "tag:three")
WHO = ("anyone", "lan", *PEOPLE, *PEOPLE, *TAGS)
SELECTORS = ("everyone", *PEOPLE, "@other.example", "@example.com")
MACHINES = ("wiki", "films", "photos")
DEVICES = ("git", "dns")
PORTS = (*[443] * 8, 8443, 25565, 80)
LISTENED = (("tcp", 22), ("udp", 53), ("tcp", 53), ("tcp", 443))


def world(random: Random) -> World:
    """One world: a few records, rules, applications, machines and grants."""
    found = World()
    for zone in (ZONE, f"a.{ZONE}", "example.net")[: random.choice((1, 1, 2, 3))]:
        found.zones[zone] = random.random() < 0.6
    for host in random.sample(RECORD_HOSTS, random.randint(2, 6)):
        found.records.append((host, random.random() < 0.92, "tunnel" if random.random() < 0.9 else ROUTER))
    # Access takes a destination only once.
    taken: set[tuple[str, str]] = set()
    for index in range(random.randint(0, 5)):
        places = []
        for _ in range(random.choice((1, 1, 1, 2, 3))):
            near = random.choice(found.records)[0] if random.random() < 0.6 else random.choice(PATTERNS)
            places.append((near, random.choice(APP_PATHS)))
        places = [p for p in dict.fromkeys(places) if p not in taken]
        taken.update(places)
        if places:
            found.apps[f"app{index}"] = (places, _policies(random))
    for _ in range(random.randint(0, 7)):
        found.rules += _rule(found, random)
    found.rules.append((None, None, "http_status:404", None))
    for port in random.sample(PORTS, 2):
        found.forwards[random.choice(("tcp", "tcp", "udp")), port] = random.random() < 0.7
    for machine in random.sample(MACHINES, random.randint(1, 3)):
        served = random.sample(("/api", "/pub", "/api/v1"), random.choice((0, 0, 1, 2)))
        found.machines[machine] = (random.choice(TAGS), random.random() < 0.4, served)
    for device in random.sample(DEVICES, random.randint(0, 2)):
        ports = random.sample(LISTENED, random.randint(1, 3)) if random.random() < 0.7 else None
        found.devices[device] = (random.choice(TAGS), ports)
    found.groups = {f"group:{n}": random.sample(PEOPLE, random.randint(0, 3)) for n in ("g", "h")}
    found.funnel_tags = random.sample(TAGS, random.randint(0, 2))
    for _ in range(random.randint(0, 4)):
        sources = random.sample(("*", "autogroup:member", *found.groups, *PEOPLE, *TAGS), random.randint(1, 2))
        number = random.choice((443, 443, 22, 53, None))
        found.grants.append(
            (sources, random.sample(TAGS, random.randint(1, 2)), random.choice(("tcp", "udp", "*")), number)
        )
    return found


def _rule(found: World, random: Random) -> list[tuple[str | None, str | None, str, list[str] | None]]:
    accepted = None
    if random.random() < 0.5:
        most = len(found.apps)
        accepted = random.sample(sorted(found.apps), most if random.random() < 0.5 else random.randint(0, most))
    status = random.random() < 0.1
    origin = (
        f"http_status:{random.choice((403, 404))}"
        if status
        else f"http://svc{random.randint(1, 9)}.apps.svc.cluster.local:80"
    )
    near = random.random() < 0.6
    host = random.choice(found.records)[0] if near else random.choice((*RULE_HOSTS, None))
    expression = random.choice(EXPRESSIONS)
    return [(host, expression, origin, accepted)] if host is not None or expression is not None else []


def request(found: World, random: Random) -> tuple[str, int, str, str, str]:
    """Host, port, path, who asks and the protocol below it all; mostly of something that is there."""
    who = random.choice(WHO)
    if found.devices and random.random() < 0.15:
        protocol, port = random.choice(LISTENED)
        return random.choice(sorted(found.devices)), port, "/", who, protocol
    hosts = [r[0].replace("*", random.choice(("a", "ab", "x.a", "any"))) for r in found.records]
    hosts += [*found.machines, random.choice(HOSTS) + f".{ZONE}", "nowhere.example.org", "any.example.net"]
    protocol = random.choice(("tcp", "tcp", "tcp", "udp"))
    return random.choice(hosts), random.choice(PORTS), random.choice(PATHS), who, protocol


def _policies(random: Random) -> list[tuple[str, list[str], list[str], list[str]]]:
    found = []
    for _ in range(random.choice((0, 1, 1, 1, 2, 3))):
        decision = random.choice(("allow", "allow", "allow", "bypass", "deny"))
        include = random.sample(SELECTORS, random.randint(1, 3))
        exclude = random.sample(SELECTORS, 1) if random.random() < 0.15 else []
        require = random.sample(SELECTORS, 1) if random.random() < 0.15 else []
        found.append((decision, include, exclude, require))
    return found


def as_surface(found: World, random: Random) -> Surface:
    """The world as the product models it; some selectors in groups, which must change nothing."""
    keys = {name: "{}{}".format(*min(places)) for name, (places, _) in found.apps.items()}
    policy: dict[str, Json] = {
        "groups": {name: list(members) for name, members in found.groups.items()},
        "tagOwners": {tag: ["autogroup:admin"] for tag in TAGS},
        "grants": [
            {"src": list(sources), "dst": list(tags), "ip": [_ip(protocol, port)]}
            for sources, tags, protocol, port in found.grants
        ],
        "nodeAttrs": [{"target": list(found.funnel_tags), "attr": ["funnel"]}] if found.funnel_tags else [],
    }
    return s.surface(
        s.Known(
            tuple(s.Zone(name, advanced, True) for name, advanced in found.zones.items()),
            tailnet=s.Tailnet("tail.ts.net", policy),
            router=tuple(s.RouterRule(ROUTER, _carried(p), port, 30000 + port, "t") for p, port in found.forwards),
        ),
        tunnels=[
            s.Tunnel(
                "t",
                tuple(
                    s.Rule(
                        host,
                        path,
                        origin,
                        None if accepted is None else s.JwtCheck(True, "team", tuple(keys[a] for a in accepted)),
                    )
                    for host, path, origin, accepted in found.rules
                ),
            )
        ],
        applications=[
            s.Application(
                tuple(sorted(s.Destination(host, path) for host, path in places)),
                tuple(_policy(p, random) for p in policies),
            )
            for places, policies in found.apps.values()
        ],
        records=[
            s.Record(host, "CNAME", "", proxied, "t") if target == "tunnel" else s.Record(host, "A", target, proxied)
            for host, proxied, target in found.records
        ],
        tailnet_ingresses=[
            s.TailnetIngress(name, name, "web:80", (tag,), funnel, tuple(served) or ("/",))
            for name, (tag, funnel, served) in found.machines.items()
        ],
        tailnet_addresses=[
            s.TailnetAddress(
                name, name, None if ports is None else tuple((_carried(p), n) for p, n in ports), (tag,), pods="{app=x}"
            )
            for name, (tag, ports) in found.devices.items()
        ],
        node_ports=[
            s.NodePort("game", _carried(protocol), port, 30000 + port, cluster="t", pods="game", target=port + 1)
            for (protocol, port), there in found.forwards.items()
            if there
        ],
    )


def _carried(protocol: str) -> Protocol:
    return "udp" if protocol == "udp" else "tcp"


def _ip(protocol: str, port: int | None) -> str:
    ports = "*" if port is None else str(port)
    return ports if protocol == "*" else f"{protocol}:{ports}"


def _policy(policy: tuple[str, list[str], list[str], list[str]], random: Random) -> s.Policy:
    decision, *words = policy
    include, exclude, require = (tuple(_selector(x) for x in word) for word in words)
    if include and random.random() < 0.4:
        include = (s.Selector("group", "", s.Group(include)),)
    return s.Policy(next(d for d in s.DECISIONS if d == decision), include, exclude, require)


def _selector(text: str) -> s.Selector:
    if text == "everyone":
        return s.Selector("everyone")
    return s.Selector("emailDomain", text[1:]) if text.startswith("@") else s.Selector("email", text)


def principal(text: str) -> Principal:
    """The product's principal for one of `WHO`."""
    for known in (ANYONE, LAN, MEMBER):
        if text == known.kind:
            return known
    kind, _, name = text.partition(":")
    return Principal("token", name) if kind == "token" else Principal("tag" if kind == "tag" else "person", text)
