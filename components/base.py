"""What every component shares: its type token and the options of its children."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypedDict, Unpack

import pulumi


class ChildOptions(TypedDict, total=False):
    """The options a child may have beside its parent."""

    protect: bool
    retain_on_delete: bool
    delete_before_replace: bool
    depends_on: Sequence[pulumi.Resource]
    aliases: Sequence[pulumi.Input[str | pulumi.Alias]]
    additional_secret_outputs: list[str]
    replace_on_changes: list[str]
    replacement_trigger: str | None
    ignore_changes: list[str]


def type_token(component: str) -> str:
    """The Pulumi type of a component: `gatehouse:index:<Component>`."""
    return f"gatehouse:index:{component}"


class Component(pulumi.ComponentResource):
    """A component whose type is `gatehouse:index:<its class>` and whose children have it as parent.

    Children take the component's providers by parentage; its other options are not merged into them, or aliases and
    dependencies would leak.
    """

    def __init__(self, name: str, opts: pulumi.ResourceOptions | None) -> None:
        super().__init__(type_token(type(self).__name__), name, None, opts)
        self.name = name
        self.above = opts.parent if opts else None
        """What it is a child of: None in Gatehouse's own program, `TunnelRoutes` in the package."""

    def child(self, **options: Unpack[ChildOptions]) -> pulumi.ResourceOptions:
        """Options for a child of this component."""
        options["depends_on"] = list(options.get("depends_on", ()))
        return pulumi.ResourceOptions(parent=self, **options)

    def formerly(self, *components: str, was: str | None = None) -> list[pulumi.Alias]:
        """Aliases of a child, for components of this name and those classes that may have had it before.

        `was` is another name that the child may have had, here or there.
        """
        parents = [self._urn_as(other) for other in components if other != type(self).__name__]
        found = [pulumi.Alias(parent=parent) for parent in parents]
        if was is not None:
            found += [pulumi.Alias(name=was), *(pulumi.Alias(name=was, parent=parent) for parent in parents)]
        return found

    def _urn_as(self, component: str) -> pulumi.Input[str]:
        if self.above is not None:
            return pulumi.create_urn(self.name, type_token(component), self.above)
        # As `create_urn` makes it, without the ten outputs that it makes on the way: some services have six of these.
        return f"urn:pulumi:{pulumi.get_stack()}::{pulumi.get_project()}::{type_token(component)}::{self.name}"
