"""What can be seen in the account alone, for those who have its credentials: doubles of the stack's own objects."""

from __future__ import annotations

import os
from pathlib import Path

from config.loader import LoadedStack
from gatehouse.commands import CommandError
from gatehouse.probe.judge import Verdict, failed, not_proven, passed
from gatehouse.probe.probes import AccountProbe, Check


def account_checks(project: Path, stack: LoadedStack) -> tuple[Check, ...]:
    """The check for doubles; none without a token for Cloudflare."""
    given = os.environ.get("CLOUDFLARE_API_TOKEN") or stack.source.values.get("cloudflare:apiToken")
    if not given or stack.estate is None:
        return ()

    def ask() -> Verdict:
        from gatehouse.adopt.doubles import Account

        try:
            found = Account(project, stack, simulated=False).doubles()
        except (CommandError, KeyError, OSError, ValueError) as error:
            return not_proven(str(error))
        if not found:
            return passed("nothing is there twice")
        return failed(" ".join(double.sentence for double in found))

    return (
        Check(
            stack.estate.zone.name,
            "zone",
            "doubles",
            "of each Access application, policy, group and login method of the stacks there is one",
            AccountProbe("the Cloudflare account", ask),
            "What is there twice is changed by no `up`: it may let in whom the stack file no longer does.",
            f"gatehouse doubles --stack {stack.name} lists them, each with the command that removes it.",
            must_not=True,
        ),
    )
