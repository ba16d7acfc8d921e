"""Pulumi's provider protocol in front of the simulated clouds.

Source: pulumi/pulumi `proto/pulumi/provider.proto`, through the SDK's own `pulumi.runtime.proto`.
"""

# ruff: noqa: N802 - the methods' names are the protocol's
from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, TypeVar

import grpc
from google.protobuf import empty_pb2
from pulumi.runtime.proto import plugin_pb2
from pulumi.runtime.proto import provider_pb2 as rpc
from pulumi.runtime.proto.provider_pb2_grpc import (
    ResourceProviderServicer,
    add_ResourceProviderServicer_to_server,
)

from gatehouse.simulation import values
from gatehouse.simulation.cloud import Cloud, CutError, Difference, RefusedError, Request
from gatehouse.simulation.shapes import Failure
from gatehouse.simulation.values import Object

_THREADS: Final = 64
_OPTIONS: Final = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
T = TypeVar("T")


class Provider(ResourceProviderServicer):
    """One simulated cloud as a provider plugin.

    The engine attaches every instance of a provider (each explicit one) to the one server, over a connection of
    its own: the connection tells the instances' settings apart.
    """

    def __init__(self, cloud: Cloud) -> None:
        """Answers for `cloud`."""
        self.cloud = cloud
        self._configs: dict[str, Object] = {}

    # -- the plugin -----------------------------------------------------------------------------------------

    def Handshake(
        self, request: rpc.ProviderHandshakeRequest, context: grpc.ServicerContext
    ) -> rpc.ProviderHandshakeResponse:
        """Says what the provider can take."""
        return rpc.ProviderHandshakeResponse(accept_secrets=True, accept_resources=False, accept_outputs=False)

    def Attach(self, request: plugin_pb2.PluginAttach, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Needs nothing of the engine."""
        return empty_pb2.Empty()

    def GetPluginInfo(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> plugin_pb2.PluginInfo:
        """Gives the version of the SDK it stands in for."""
        return plugin_pb2.PluginInfo(version=self.cloud.version)

    def Cancel(self, request: empty_pb2.Empty, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Has nothing to cancel: a call is over in an instant."""
        return empty_pb2.Empty()

    # -- the provider's settings ----------------------------------------------------------------------------

    def CheckConfig(self, request: rpc.CheckRequest, context: grpc.ServicerContext) -> rpc.CheckResponse:
        """Checks the settings of a provider instance."""
        failures = self.cloud.check_config(values.reveal(values.from_struct(request.news)))
        return rpc.CheckResponse(inputs=request.news, failures=_failures(failures))

    def DiffConfig(self, request: rpc.DiffRequest, context: grpc.ServicerContext) -> rpc.DiffResponse:
        """Says what changed settings mean."""
        olds = values.reveal(values.from_struct(request.old_inputs or request.olds))
        news = values.reveal(values.from_struct(request.news))
        changes = {values.path_text(path): how for path, how in values.differences(olds, news)}
        return _diff(Difference(changes, self.cloud.config_replaces(olds, news)))

    def Configure(self, request: rpc.ConfigureRequest, context: grpc.ServicerContext) -> rpc.ConfigureResponse:
        """Keeps the settings of this connection's instance; every credential is good."""
        self._configs[context.peer()] = values.reveal(values.from_struct(request.args))
        return rpc.ConfigureResponse(acceptSecrets=True, supportsPreview=True)

    # -- resources ------------------------------------------------------------------------------------------

    def Check(self, request: rpc.CheckRequest, context: grpc.ServicerContext) -> rpc.CheckResponse:
        """Checks a resource's inputs."""
        asked, (inputs, failures) = self._ask(self.cloud.check, request, context)
        shown = [Failure(one.property, asked.redact(one.reason)) for one in failures]
        return rpc.CheckResponse(inputs=values.to_struct(inputs), failures=_failures(shown))

    def Diff(self, request: rpc.DiffRequest, context: grpc.ServicerContext) -> rpc.DiffResponse:
        """Says what an update would change."""
        return _diff(self._ask(self.cloud.diff, request, context)[1])

    def Create(self, request: rpc.CreateRequest, context: grpc.ServicerContext) -> rpc.CreateResponse:
        """Makes a resource."""
        _, (id_, outputs) = self._ask(self.cloud.create, request, context, news="properties")
        return rpc.CreateResponse(id=id_, properties=values.to_struct(outputs))

    def Read(self, request: rpc.ReadRequest, context: grpc.ServicerContext) -> rpc.ReadResponse:
        """Reads a resource."""
        _, found = self._ask(self.cloud.read, request, context, olds="properties", old_inputs="inputs")
        outputs, inputs = values.to_struct(found.outputs), values.to_struct(found.inputs)
        return rpc.ReadResponse(id=found.id, properties=outputs, inputs=inputs)

    def Update(self, request: rpc.UpdateRequest, context: grpc.ServicerContext) -> rpc.UpdateResponse:
        """Changes a resource."""
        return rpc.UpdateResponse(properties=values.to_struct(self._ask(self.cloud.update, request, context)[1]))

    def Delete(self, request: rpc.DeleteRequest, context: grpc.ServicerContext) -> empty_pb2.Empty:
        """Deletes a resource."""
        self._ask(self.cloud.delete, request, context, olds="properties")
        return empty_pb2.Empty()

    # -- inside ---------------------------------------------------------------------------------------------

    def _ask(
        self,
        act: Callable[[Request], T],
        request: Any,
        context: grpc.ServicerContext,
        *,
        news: str = "news",
        olds: str = "olds",
        old_inputs: str = "old_inputs",
    ) -> tuple[Request, T]:
        """What is asked, and the cloud's answer; the protocol's messages have the bags under one name or another."""
        config = self._configs.get(context.peer())
        if config is None:  # A connection made anew: the last instance is the best guess.
            config = next(reversed(self._configs.values()), {})

        def bag(name: str) -> Object:
            return values.from_struct(getattr(request, name)) if hasattr(request, name) else {}

        asked = Request(
            urn=request.urn,
            type=request.type or request.urn.split("::")[2].rsplit("$", 1)[-1],
            id=getattr(request, "id", ""),
            news=bag(news),
            olds=bag(olds),
            old_inputs=bag(old_inputs),
            preview=getattr(request, "preview", False),
            config=config,
            random_seed=getattr(request, "randomSeed", b""),
            ignored=tuple(getattr(request, "ignoreChanges", ())),
        )
        try:
            return asked, act(asked)
        except RefusedError as no:
            context.abort(grpc.StatusCode.UNKNOWN, asked.redact(str(no)))
        except CutError as cut:
            context.abort(grpc.StatusCode.UNAVAILABLE, str(cut))
        except Exception as bug:
            # The text of an unforeseen exception may hold a value of the user's: only its kind goes out.
            logging.getLogger("gatehouse.simulation").exception("a fault of the simulation")
            context.abort(grpc.StatusCode.INTERNAL, f"the simulated {self.cloud.name} failed: {type(bug).__name__}")
        raise AssertionError("abort returned")


def _failures(failures: Iterable[Failure]) -> list[rpc.CheckFailure]:
    return [rpc.CheckFailure(property=one.property, reason=one.reason) for one in failures]


def _diff(difference: Difference) -> rpc.DiffResponse:
    replaces = set(difference.replaces)
    changed = bool(difference.changes or replaces)
    return rpc.DiffResponse(
        changes=rpc.DiffResponse.DIFF_SOME if changed else rpc.DiffResponse.DIFF_NONE,
        replaces=sorted(replaces),
        diffs=sorted({path.split(".")[0].split("[")[0] for path in difference.changes}),
        deleteBeforeReplace=difference.delete_first,
        detailedDiff={
            path: rpc.PropertyDiff(
                kind=rpc.PropertyDiff.Kind.Value(f"{how}{'_replace' * (path in replaces)}".upper()), inputDiff=True
            )
            for path, how in difference.changes.items()
        },
        hasDetailedDiff=changed,
    )


def serve(clouds: Iterable[Cloud]) -> tuple[list[grpc.Server], dict[str, int]]:
    """Starts a server for each cloud on a free port of 127.0.0.1; gives the servers and the ports by name."""
    pool = ThreadPoolExecutor(max_workers=_THREADS, thread_name_prefix="cloud")
    servers, ports = [], {}
    for cloud in clouds:
        server = grpc.server(pool, options=_OPTIONS)
        add_ResourceProviderServicer_to_server(Provider(cloud), server)
        ports[cloud.name] = server.add_insecure_port("127.0.0.1:0")
        server.start()
        servers.append(server)
    return servers, ports
