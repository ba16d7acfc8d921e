"""What the program reads before it registers anything: the stack file, checked, and the secrets."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pulumi

from components.providers import missing_credentials
from config.errors import render
from config.loader import read_stack_file, stack_names, stack_path, tie, type_stack
from config.secrets import SECRETS, secrets_with
from config.stack import NAMESPACE, StackConfig
from exposure.check import check_one
from exposure.model import ExposurePlan
from exposure.plan import plan_stack


def read_plan(project: Path) -> ExposurePlan:
    """The plan of the engine's current stack.

    The engine's configuration counts where it differs from the file (`--config`). Raises RunError with every finding at
    once, before anything is registered.
    """
    stack = pulumi.get_stack()
    names = stack_names(project)
    if stack not in names:
        raise pulumi.RunError(
            f"there is no Pulumi.{stack}.yaml in the project, so nothing says what stack {stack!r} is to expose\n"
            f"fix: write it (docs/stack-file.md), or choose one of: {', '.join(names) or 'none yet'}"
        )
    source = read_stack_file(stack_path(project, stack))
    others = [type_stack(read_stack_file(stack_path(project, name))) for name in names if name != stack]
    stacks = tie([type_stack(source, {**source.raw, **_engine_values()}), *others])
    findings = check_one(stack, stacks)
    errors = [f for f in findings if f.severity == "error"]
    if errors:
        raise pulumi.RunError(f"{source.file} would break live, so nothing was registered:\n\n{render(findings)}")
    for warning in findings:
        pulumi.log.warn(render([warning]))
    return plan_stack(stacks[stack], stacks)


def _engine_values() -> dict[str, object]:
    """Gatehouse's own keys as the engine has them; secrets are read where they are used."""
    config = pulumi.Config(NAMESPACE)
    values: dict[str, object] = {}
    for key in StackConfig.model_fields:
        text = config.get(key)
        if text is not None:
            try:
                values[key] = config.get_object(key)
            except (ValueError, pulumi.ConfigTypeError):
                # A plain text, which is not JSON.
                values[key] = text
    return values


def read_secrets(plan: ExposurePlan) -> dict[str, pulumi.Output[str]]:
    """The stack's secrets by name.

    A preview without one warns and goes on with a stand-in. Otherwise raises RunError, listing each missing secret and
    credential with the command that sets it.
    """
    config = pulumi.Config(NAMESPACE)
    secrets: dict[str, pulumi.Output[str]] = {}
    missing = []
    for secret in secrets_with(plan.estate.logins):
        if secret.owner_only and not (plan.owns_estate and (plan.estate.google or secret not in SECRETS)):
            continue
        value = config.get_secret(secret.name)
        if value is None:
            missing.append(f"{secret.key}: {secret.purpose}\n    {secret.set_with} --stack {plan.stack}")
        secrets[secret.name] = pulumi.Output.secret(secret.simulated) if value is None else value
    missing += missing_credentials(plan.estate.tailnet is not None)
    if not missing:
        return secrets
    listed = "\n  ".join(missing)
    if pulumi.runtime.is_dry_run():
        pulumi.log.warn(f"`up` will refuse until these are set:\n  {listed}")
        return secrets
    raise pulumi.RunError(f"nothing was registered; set these first:\n  {listed}")


async def all_begun() -> None:
    """For `pulumi.run`, once everything is registered: one turn of the event loop, in which each registration begins.

    The SDK then waits for one after the other. While it knows of none it looks at all open outputs whenever some are
    ready: up to a quarter of the program's time.
    """
    await asyncio.sleep(0)
