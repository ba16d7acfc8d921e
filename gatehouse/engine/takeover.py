"""Taking over what a run made without the state's knowing: one that was killed, or one that lost an answer."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from config.loader import LoadedStack, StackFile, load_project
from gatehouse.commands import CommandError, about
from gatehouse.engine.recovery import (
    OpenOperation,
    completed,
    made_since,
    open_operations,
    recognised,
    tunnels_without_secret,
    without,
)
from gatehouse.engine.secrets import known_ids, value_of

if TYPE_CHECKING:
    from gatehouse.adopt.accounts import Settings
    from gatehouse.adopt.things import Thing
    from gatehouse.engine.tree import Step
    from gatehouse.engine.workspace import Workspace

_PARTS = {"cloudflare": "cloudflare", "tailscale": "tailnet", "kubernetes": "cluster"}
"""What is read for a provider's resources."""
_ACL = "tailscale:index/acl:Acl"
_LISTED = 12


class TakeOver:
    """What has to be known of a stack's state before a run, and put in order after it.

    `look` comes before the run; `ids` is then for `Adoption`. `close` comes after it. `say` is told what people should
    know.
    """

    def __init__(self, project: Path, source: StackFile, say: Callable[[str], None], *, simulated: bool) -> None:
        self._project = project
        self._source = source
        self._stack = source.stack
        self._say = say
        self._simulated = simulated
        self._began = time.time()
        self.open: list[OpenOperation] = []
        self.ids: dict[str, str] = {}

    def look(self, workspace: Workspace, command: str) -> None:
        """Find out what was left open, and which of it is there.

        Raises CommandError where an account cannot be read, or where `destroy` would leave something behind.
        """
        deployment = workspace.state(self._stack)["deployment"]
        self.open = open_operations(deployment)
        if self.open:
            lines = "\n".join(f"  {operation}" for operation in self.open)
            self._say(f"The last run of {self._stack} was ended while this was under way:\n{lines}")
        if command in ("preview", "up"):
            self._look_at_policy(workspace, deployment, refuse=command == "up")
        if command == "preview":
            if self.open:
                self._say("This preview does not know whether it is there; `up` looks first.")
            return
        creating = [operation for operation in self.open if operation.kind == "creating"]
        if creating and command != "refresh":
            self.ids = recognised(creating, self._things(workspace, creating))
        unheard = self._unheard_of() if command == "up" else None
        if unheard is not None:
            began, operations = unheard
            self.ids |= self._own_work(workspace, operations, began)
        if self.ids and command == "destroy":
            raise CommandError(
                f"These are there: {', '.join(self.ids)}. Nothing was deleted, since the state does not have them yet. "
                f"First run `gatehouse up {about(self._stack, self._simulated)}`, which takes them over; then destroy."
            )
        for operation in creating if command == "up" else ():
            there = "it is there, and is taken over" if operation.name in self.ids else "nothing of it is there"
            self._say(f"  {operation.name}: {there}")
        if command == "up":
            self._forget_replaced(workspace, creating)
            # Left alone in this run too, until `close` has put their secrets into the state.
            self.ids |= tunnels_without_secret(deployment)

    def _look_at_policy(self, workspace: Workspace, deployment: Mapping[str, Any] | None, *, refuse: bool) -> None:
        """Say what would end by the first policy that this stack registers; refuse where somebody wrote what is there.

        That of a new tailnet may go: the provider replaces no other [TFT resource_acl.go, etag `ts-default`].
        """
        from gatehouse.adopt.policy import ended, is_new_tailnets, others_part

        stacks = load_project(self._project)
        stack = stacks.get(self._stack)
        tailnet = stack.config.estate.tailnet if stack and stack.config and stack.config.estate else None
        if stack is None or stack.config is None or tailnet is None or tailnet.overwrite_policy:
            return
        known = {resource.get("type") for resource in (deployment or {}).get("resources") or ()}
        if _ACL in known or {**stack.config.adopt, **stack.config.recover}.keys() & {"Acl/tailnet-policy"}:
            return
        standing = self._standing_policy(workspace, stack)
        # Where nothing of it is another's, a run made it that was ended, or a stack that was destroyed.
        if standing is None or not others_part(standing, stacks, self._stack):
            return
        lines = ended(standing, stacks, self._stack) or ["nothing that anybody reaches"]
        if len(lines) > _LISTED:
            lines = [*lines[:_LISTED], f"and {len(lines) - _LISTED} more"]
        listed = "\n".join(f"  {line}" for line in lines)
        on = about(self._stack, self._simulated)
        keep = f"`gatehouse adopt {on} --apply` writes it into a file beside the stack file, where it is kept."
        if is_new_tailnets(standing):
            self._say(f"The tailnet's policy, as in every new one, is replaced. What ends:\n{listed}\n{keep}")
            return
        text = f"The tailnet has a policy that this stack did not write. What would end:\n{listed}\n{keep}"
        if not refuse:
            self._say(text)
            return
        raise CommandError(
            f"{text} To let it go, set `overwrite_policy: true` under `estate.tailnet`, and acknowledge"
            " `tailnet-policy-overwrite`."
        )

    def _standing_policy(self, workspace: Workspace, stack: LoadedStack) -> str | None:
        """The policy in the tailnet; None where there is none, or it cannot be read: the provider refuses then."""
        try:
            things = self._read(workspace, stack, without=("cloudflare", "cluster"))
        except CommandError:
            return None
        return next((str(thing.inputs.get("acl")) for thing in things if thing.type == "Acl"), None)

    def made_all_the_same(self, workspace: Workspace, failed: list[Step]) -> bool:
        """Whether creations that failed made something after all; it is in `ids` then, for another run to go on with.

        Where the account cannot be asked now, the next `up` is told to.
        """
        creating = [OpenOperation("creating", step.urn, step.inputs) for step in failed]
        before = dict(self.ids)
        try:
            self.ids |= self._own_work(workspace, creating, self._began)
        except CommandError:
            self._remember(creating, self._began)
        self._forget_replaced(workspace, creating)
        return self.ids != before

    def _forget_replaced(self, workspace: Workspace, creating: Sequence[OpenOperation]) -> None:
        """Take from the state what was deleted to be made anew under the same id, where the new one is there.

        The engine refuses to import a resource of which the state has such an old one (seen with 3.276.0). The list of
        open operations goes with the old state, so what is to be taken over is noted.
        """
        there = {operation.urn: operation for operation in creating if operation.name in self.ids}
        exported = workspace.state(self._stack)
        deployment = exported["deployment"] or {}
        resources = deployment.get("resources") or []
        gone = [
            r
            for r in resources
            if r.get("pendingReplacement") and r["urn"] in there and r.get("id") == self.ids[there[r["urn"]].name]
        ]
        if gone:
            self._remember([there[resource["urn"]] for resource in gone], 0)
            left = {key: value for key, value in deployment.items() if key != "pending_operations"}
            left["resources"] = without(resources, gone)
            workspace.put_state(self._stack, {**exported, "deployment": left})

    def _remember(self, creating: Sequence[OpenOperation], began: float) -> None:
        entries = [{"urn": operation.urn, "inputs": operation.inputs} for operation in creating]
        self._note.parent.mkdir(exist_ok=True)
        self._note.write_text(json.dumps({"began": began, "creating": entries}), encoding="utf-8")

    def _own_work(self, workspace: Workspace, creating: list[OpenOperation], began: float) -> dict[str, str]:
        """What a run made although it failed: in every way as it was to be made, and made since it began."""
        found = recognised(creating, made_since(self._things(workspace, creating), began), exactly=True)
        for name in found:
            if name not in self.ids:
                self._say(f"{name} was made all the same, and its answer was lost: it is taken over.")
        return found

    @property
    def _note(self) -> Path:
        """What an earlier run could not find out, since an account was out of reach."""
        return self._project / ".gatehouse" / f"unheard-of-{self._stack}{'-simulated' * self._simulated}.json"

    def _unheard_of(self) -> tuple[float, list[OpenOperation]] | None:
        try:
            note = json.loads(self._note.read_text(encoding="utf-8"))
            return float(note["began"]), [OpenOperation("creating", e["urn"], e["inputs"]) for e in note["creating"]]
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def close(self, workspace: Workspace, *, success: bool) -> None:
        """Take what is settled from the state's list, and put into it what an import could not read."""
        if success:
            self._note.unlink(missing_ok=True)
        imports = any(self._source.values.get(f"gatehouse:{section}") for section in ("adopt", "recover"))
        if not self.open and not self.ids and not imports:
            return
        # To replace a state drops its list of open operations: not before all of them are settled.
        if success or not open_operations(workspace.state(self._stack)["deployment"]):
            self.complete(workspace)

    def complete(self, workspace: Workspace) -> None:
        """Replace the state by one without open operations, and with the secrets of tunnels that were imported."""
        exported = workspace.state(self._stack)
        before: Mapping[str, Any] = exported["deployment"] or {}
        after = completed(before, lambda id_: self._tunnel_secret(workspace, id_))
        if after != before:
            workspace.put_state(self._stack, {**exported, "deployment": after})

    def _things(self, workspace: Workspace, operations: list[OpenOperation]) -> list[Thing]:
        """What is in the accounts that the operations are of, marked where a stack's state has it."""
        from gatehouse.adopt.accounts import marked

        stack = load_project(self._project)[self._stack]
        known = known_ids(self._project, simulated=self._simulated)
        packages = {operation.type.partition(":")[0] for operation in operations}
        unasked = [part for package, part in _PARTS.items() if package not in packages]
        return marked(self._read(workspace, stack, unasked), known)

    def _read(self, workspace: Workspace, stack: LoadedStack, without: Sequence[str]) -> list[Thing]:
        from gatehouse.adopt.accounts import read_accounts, read_clouds
        from gatehouse.engine.workspace import clouds_file

        if self._simulated:
            return read_clouds(self._project, stack) if clouds_file(self._project).is_file() else []
        return read_accounts(stack, self._settings(workspace), without=without)

    def _tunnel_secret(self, workspace: Workspace, tunnel: str) -> str:
        from gatehouse.adopt.accounts import cloudflare_client
        from gatehouse.adopt.cloudflare_account import read_tunnel_secret

        if self._simulated:
            # Simulated clouds keep no secret in clear, and get theirs from here alone.
            return value_of(workspace, self._stack, "gatehouse:tunnel_secret")
        estate = load_project(self._project)[self._stack].estate
        assert estate is not None
        with cloudflare_client(self._settings(workspace)) as client:
            return read_tunnel_secret(client, estate.account_id, tunnel)

    def _settings(self, workspace: Workspace) -> Settings:
        from gatehouse.adopt.accounts import Settings

        return Settings(self._source.values, lambda key: value_of(workspace, self._stack, key))
