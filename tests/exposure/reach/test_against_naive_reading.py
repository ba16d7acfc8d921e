"""`who` and a brute-force reading written apart from it, on thousands of random requests."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest

from exposure.reach import Outcome, Request, who
from exposure.reach.evaluate import Scheme
from tests.exposure.reach import naive, worlds

WORLDS = 60
REQUESTS = 60
_WORDS = {Outcome.OPEN: "open", Outcome.LOGIN: "login", Outcome.TAILNET: "tailnet"}


@pytest.mark.parametrize("seed", range(4))
def test_who_agrees_with_a_brute_force_reading_on_random_requests(seed: int) -> None:
    random = Random(seed)
    seen: Counter[str] = Counter()
    for number in range(WORLDS):
        world = worlds.world(random)
        surface = worlds.as_surface(world, random)
        for _ in range(REQUESTS):
            host, port, path, name, protocol = worlds.request(world, random)
            expected = naive.ask(world, host, port, path, name, protocol)
            record = naive.record_for(world, host)
            raw = host in world.devices or (host not in world.machines and record and not record[1])
            scheme: Scheme = ("udp" if protocol == "udp" else "tcp") if raw else "https"
            answer = who(surface, Request(host, port, path, scheme), worlds.principal(name))
            assert _WORDS.get(answer.outcome, "no") == expected, (seed, number, host, port, path, name, world, answer)
            seen[answer.outcome.name] += 1
    # A positive control: every way in and out that these worlds have was met, and no one kind is nearly all.
    met = (
        "OPEN",
        "LOGIN",
        "TAILNET",
        "ACCESS_DENIED",
        "JWT_REFUSED",
        "STATUS",
        "TAILNET_DENIED",
        "NO_CERTIFICATE",
        "NOT_SERVED",
    )
    assert min(seen[outcome] for outcome in met) > 10, seen
    assert max(seen.values()) < WORLDS * REQUESTS / 2
    assert sum(seen.values()) == WORLDS * REQUESTS
