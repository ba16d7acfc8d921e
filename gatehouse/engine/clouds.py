"""Real clouds or simulated ones: decided by the credentials that are set."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from config.loader import StackFile

# Each provider with the ways to sign in: every alternative is a set of credentials, each an environment variable and
# the config key that stands for it.
_CREDENTIALS: Mapping[str, tuple[tuple[tuple[str, str], ...], ...]] = {
    "cloudflare": ((("CLOUDFLARE_API_TOKEN", "cloudflare:apiToken"),),),
    "tailscale": (
        (("TAILSCALE_API_KEY", "tailscale:apiKey"),),
        (
            ("TAILSCALE_OAUTH_CLIENT_ID", "tailscale:oauthClientId"),
            ("TAILSCALE_OAUTH_CLIENT_SECRET", "tailscale:oauthClientSecret"),
        ),
        # No secret: a job of GitHub's has an identity of its own [TFT docs/index.md, federated identities].
        (("TAILSCALE_OAUTH_CLIENT_ID", ""), ("TAILSCALE_AUDIENCE", "")),
    ),
}


@dataclass(frozen=True)
class Clouds:
    """Which clouds a run works on, and why not the real ones where only some credentials are set (`note`)."""

    real: bool
    note: str = ""


def choose_clouds(environment: Mapping[str, str], config: Mapping[str, object], simulated: bool) -> Clouds:
    """Real clouds only where every provider has its credentials and nobody asked for simulated ones.

    Args:
        environment: the process's environment.
        config: the stack file's values by full key (`cloudflare:apiToken`).
        simulated: whether simulated clouds are asked for.
    """
    if simulated:
        return Clouds(real=False)
    signed_in = {name: _signed_in(ways, environment, config) for name, ways in _CREDENTIALS.items()}
    if all(signed_in.values()):
        return Clouds(real=True)
    if not any(signed_in.values()):
        return Clouds(real=False)
    have = ", ".join(name for name, there in signed_in.items() if there)
    missing = "; ".join(
        f"{name} (set {' or '.join(' and '.join(variable for variable, _ in way) for way in _CREDENTIALS[name])})"
        for name, there in signed_in.items()
        if not there
    )
    return Clouds(
        real=False, note=f"There are credentials for {have}, but none for {missing}: nothing real is touched."
    )


def clouds_of(environment: Mapping[str, str], source: StackFile, simulated: bool = False) -> Clouds:
    """Which clouds a stack's secrets and state are of.

    A stack file with encrypted values is one for real clouds, also where the credentials are not in this shell.
    """
    if source.secure and not simulated:
        return Clouds(real=True)
    return choose_clouds(environment, source.values, simulated)


def credentials_in_use(cloud: str, environment: Mapping[str, str], config: Mapping[str, object]) -> tuple[str, ...]:
    """Where the provider of a cloud takes its credentials from: config keys, which come first, or variables.

    Where nothing is set, the variables of the first way to sign in.
    """
    ways = _CREDENTIALS.get(cloud, ((),))
    way = next((w for w in ways if _signed_in((w,), environment, config)), ways[0])
    return tuple(key if config.get(key) else variable for variable, key in way)


def _signed_in(
    ways: tuple[tuple[tuple[str, str], ...], ...], environment: Mapping[str, str], config: Mapping[str, object]
) -> bool:
    return any(all(environment.get(variable) or config.get(key) for variable, key in way) for way in ways)
