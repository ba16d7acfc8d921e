"""Why a run failed, for who reads it: what is there, and what to type.

Each failed operation is judged by its own error (the diagnostic with its URN), never by what the language host, the
policy pack or the engine says meanwhile. The words are those of the providers [terraform-provider-cloudflare,
terraform-provider-tailscale, pulumi-kubernetes provider/pkg] and of the APIs behind them.
"""

from __future__ import annotations

import re
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from gatehouse.commands import CommandError, about, width
from gatehouse.engine.clouds import credentials_in_use
from gatehouse.engine.progress import Message, Progress
from gatehouse.engine.tree import Step

if TYPE_CHECKING:
    from exposure.policy_eval.policy import PolicyTest, SshTest

REPORT = "This is a mistake of Gatehouse's, not yours: please report it with the log below."
# What comes after a failure, when the engine ends what is still under way: nobody's cause.
_AFTERMATH = re.compile(
    r"resource monitor has terminated|resource monitor shut down|failed to run remediation|"
    r"failed to get analyzer info|context canceled|_InactiveRpcError|\bgrpc\b|Exception calling application",
    re.IGNORECASE,
)
_SIMULATED = (
    "These clouds are simulated, and nothing outside this folder was touched. What is said above of dashboards, "
    "credentials and kubectl is what you would do on the real ones: do none of it now. To begin anew, delete "
    ".gatehouse/simulated."
)
_LISTED = 6
_TYPED = re.compile("`[^`\n]*`")

# What each type needs: a permission of Cloudflare's token (the SDK's documentation of the resource names them), or
# scopes of Tailscale's OAuth client (docs/first-up.md, step 4).
NEEDS: Mapping[str, str] = {
    "cloudflare:Zone": "Zone Write",
    "cloudflare:ZoneSetting": "Zone Settings Write",
    "cloudflare:ZoneDnssec": "DNS Write",
    "cloudflare:DnsRecord": "DNS Write",
    "cloudflare:Ruleset": "Dynamic URL Redirects Write",
    "cloudflare:ZeroTrustTunnelCloudflared": "Cloudflare Tunnel Write",
    "cloudflare:ZeroTrustTunnelCloudflaredConfig": "Cloudflare Tunnel Write",
    "cloudflare:ZeroTrustAccessApplication": "Access: Apps and Policies Write",
    "cloudflare:ZeroTrustAccessPolicy": "Access: Apps and Policies Write",
    "cloudflare:ZeroTrustAccessGroup": "Access: Organizations, Identity Providers, and Groups Write",
    "cloudflare:ZeroTrustAccessIdentityProvider": "Access: Organizations, Identity Providers, and Groups Write",
    "cloudflare:ZeroTrustOrganization": "Access: Organizations, Identity Providers, and Groups Write",
    "cloudflare:ZeroTrustAccessServiceToken": "Access: Service Tokens Write",
    "tailscale:Acl": "policy_file",
    "tailscale:DnsConfiguration": "dns",
    "tailscale:DnsPreferences": "dns",
    "tailscale:TailnetSettings": "feature_settings (if Tailscale still refuses, networking_settings too)",
    "tailscale:OauthClient": "oauth_keys, and each scope that the new client gets",
}
_CLOUDS: Mapping[str, str] = {"cloudflare": "Cloudflare", "tailscale": "Tailscale", "kubernetes": "the cluster"}


@dataclass(frozen=True)
class Asked:
    """The run: what was asked for, and what the user's own names are."""

    project: Path
    command: str
    stack: str
    values: Mapping[str, object]
    """The stack file's values, by full key."""
    environment: Mapping[str, str]
    simulated: bool = False

    @property
    def on(self) -> str:
        """The options that make a command be about the same stack, on the same clouds."""
        return about(self.stack, self.simulated)

    @property
    def context(self) -> str:
        """The kubectl context."""
        node = self.values.get("gatehouse:node")
        own = node.get("context") if isinstance(node, Mapping) else None
        return str(self.values.get("kubernetes:context") or own or "")

    def credentials(self, cloud: str) -> str:
        """Where a cloud's credentials come from."""
        names = credentials_in_use(cloud, self.environment, self.values)
        places = [
            f"`{name}` in Pulumi.{self.stack}.yaml" if ":" in name else f"the environment variable {name}"
            for name in names
        ]
        return " and ".join(places)


@dataclass(frozen=True)
class Failure:
    """A resource whose operation failed, and its own error."""

    step: Step
    text: str

    @property
    def cloud(self) -> str:
        """The provider's package."""
        return self.step.urn.split("::")[2].rsplit("$", 1)[-1].removeprefix("pulumi:providers:").partition(":")[0]


@dataclass(frozen=True)
class _Reason:
    """A kind of failure: of which cloud ("": any), in which operations ("": any), known by which words, and what is
    said of it."""

    cloud: str
    ops: str
    words: re.Pattern[str]
    says: str

    def fits(self, failure: Failure) -> bool:
        return (
            self.cloud in ("", failure.cloud)
            # A step that a preview only planned has made nothing.
            and (not self.ops or (failure.step.failed and failure.step.op in self.ops.split()))
            and bool(self.words.search(failure.text))
        )


_MAKES = "create replace"
_CHANGES = "update delete replace"
_AGAIN = "Then run {again}."
_ADOPT = "`gatehouse adopt {on} --apply`"
_LOST = (
    "The connection to {cloud} broke before the answer for {what} came. What was being made may exist although this "
    "run did not hear of it. Run {again} again: it first looks for what this run made, and takes that over. If it then "
    f"says that something exists already, {_ADOPT} does. What Cloudflare takes twice (a policy, a group) may be "
    "there twice afterwards: `up` says so, and `gatehouse doubles {on}` lists them. A key of Tailscale's "
    "that was made and not heard of is to be deleted in its admin console."
)
_BROKEN = (
    r"error reading from server|transport is closing|Error while dialing|connection reset|broken pipe|\bEOF\b|GOAWAY|"
    r"awaiting headers|read tcp|\": context (?:deadline exceeded|canceled)"
)
_UNREACHED = r"dial tcp|no such host|connection refused|network is unreachable|no route to host|TLS handshake timeout"


def _reason(cloud: str, words: str, says: str, ops: str = "") -> _Reason:
    return _Reason(cloud, ops, re.compile(words, re.DOTALL), says)


# The first that fits is said.
_REASONS: Sequence[_Reason] = (
    _reason(
        "tailscale",
        r"test\(s\) failed",
        "Tailscale ran the tests of the policy {what} and refused it: at least one fails. {tests}",
    ),
    _reason(
        "cloudflare",
        r'\b40[13] (?:Unauthorized|Forbidden)|"code":\s*(?:10000|9103|9106|9109|6003|6111)\b|[Uu]nable to authenticate',
        "Cloudflare refused the API token in {credentials}. Either it is not valid (mistyped, expired, deleted), or it "
        "lacks a permission. What failed needs:\n{needs}\nLook at the token in Cloudflare's dashboard (My Profile, API "
        f"Tokens), where Write is called Edit. Add what is missing, or make a new one. {_AGAIN}",
    ),
    _reason(
        "tailscale",
        r"\(40[13]\)|40[13] (?:Unauthorized|Forbidden)|oauth2: |API token invalid",
        "Tailscale refused the credentials in {credentials}. Either they are not valid (mistyped, expired, deleted), "
        "or they lack a scope. What failed needs these, with write access:\n{needs}\nLook at the OAuth client in "
        "Tailscale's admin console (Settings, OAuth clients); an API key (Settings, Keys) expires after 90 days at "
        f"most and has to be an admin's. {_AGAIN}",
    ),
    _reason(
        "kubernetes",
        r"failed calling webhook",
        "The cluster asks a webhook about {what}, named in the error, and that does not answer. Often the ingress "
        "controller or cert-manager is still starting: `kubectl --context {context} get pods -A` shows it. "
        "Once it runs, run {again}.",
    ),
    _reason(
        "kubernetes",
        r"Unauthorized|client to provide credentials|is forbidden: User",
        "The cluster of kubectl context {context} refuses {what}: its user is unknown there, or may not do this. "
        "`kubectl --context {context} auth whoami` shows who it is. Once "
        "`kubectl --context {context} get nodes` answers, run {again}.",
    ),
    _reason(
        "cloudflare",
        r'"code":\s*1061\b',
        "The zone of {what} exists in Cloudflare already. If it is in this account (`destroy` leaves it there on "
        f"purpose), {_ADOPT} takes it over. If it is in another account, delete it there first. {_AGAIN} The steps are "
        "in docs/operate.md, under *Up again after a destroy*.",
        ops=_MAKES,
    ),
    _reason(
        "cloudflare",
        r'"code":\s*(?:1049|1093|1099|1105|1116)\b',
        "Cloudflare does not take {what}: its name is no domain that somebody registered, is a subdomain, or was tried "
        "too often (code 1105: wait three hours). Write the zone's `name:` in Pulumi.{stack}.yaml as it was "
        f"registered, and register it first where it is new. {_AGAIN}",
        ops=_MAKES,
    ),
    _reason(
        "cloudflare",
        r'"code":\s*1097\b',
        "Cloudflare has barred the domain of {what} from its service, and only its support can lift that "
        "(dash.cloudflare.com, Support). Or write another domain as the zone's `name:` in "
        f"Pulumi.{{stack}}.yaml. {_AGAIN}",
        ops=_MAKES,
    ),
    _reason(
        "cloudflare",
        r'"code":\s*81058\b',
        "Cloudflare has exactly the record of {what} already, and this stack does not know it. To keep it, run "
        f"{_ADOPT}; or delete it in the dashboard (the zone, DNS, Records). {_AGAIN}",
    ),
    _reason(
        "cloudflare",
        r'"code":\s*8105[3-7]\b',
        "Cloudflare has another record with the name of {what} already. If it is to be kept, give the service another "
        "`host:` in Pulumi.{stack}.yaml. If it is the one that is meant, "
        f"{_ADOPT} takes it over; or delete it in the dashboard (the zone, DNS, Records). {_AGAIN}",
    ),
    _reason(
        "cloudflare",
        r"exceeded maximum number of zone rulesets for phase http_request_dynamic_redirect",
        "The zone of {what} has a list of redirect rules that this stack did not make, and a zone has one list. The "
        "list stays when its last rule is deleted in the dashboard (the zone, Rules, Redirect Rules). Cloudflare's API "
        "shows its id (`GET /zones/<zone id>/rulesets`, phase http_request_dynamic_redirect). Delete it there (`DELETE "
        "/zones/<zone id>/rulesets/<id>`); or have it taken over: say `{what}: zones/<zone id>/<id>` under "
        "`gatehouse:recover` in Pulumi.{stack}.yaml, and as `redirect_from:` what of it is to stay. "
        f"{_AGAIN}",
        ops=_MAKES,
    ),
    _reason(
        "cloudflare",
        r"application_already_exists",
        "Cloudflare has an Access application for the destination of {what} already, and this stack does not know it. "
        f"To keep it, run {_ADOPT}; or delete it in the dashboard (Zero Trust, Access, Applications). {_AGAIN}",
    ),
    _reason(
        "cloudflare",
        r'"code":\s*1013\b',
        "The account has a tunnel with the name of {what} already, and this stack does not know it. To keep it, run "
        f"{_ADOPT}; or, if nothing uses it, delete it in the dashboard (Zero Trust, Networks, Tunnels). {_AGAIN}",
    ),
    _reason(
        "cloudflare",
        r'"code":\s*1022\b',
        "Cloudflare does not delete {what} while a connector is connected, and takes some minutes to notice that one "
        "has gone. `kubectl --context {context} get pods -A` must not list a cloudflared of this tunnel any more, nor "
        "may one run elsewhere. Wait a minute after that, then run {again}.",
    ),
    _reason(
        "tailscale",
        r"Overwrite Protected",
        "The tailnet has a policy that this stack did not write, and {what} does not overwrite it. To keep what it "
        f"allows, {_ADOPT} writes it into a file beside the stack file and takes it over. To let it go, set "
        "`overwrite_policy: true` under `estate.tailnet` and acknowledge `tailnet-policy-overwrite`: then all that it "
        f"allows ends, but for what the stack files say. {_AGAIN}",
    ),
    _reason(
        "kubernetes",
        r'currently managing a required field|namespaces "[^"]*" not found',
        "{what}: the Service that this annotates was deleted meanwhile. `gatehouse refresh {on}` takes that "
        f"into the state. {_AGAIN}",
        ops="delete",
    ),
    _reason(
        "kubernetes",
        r"ServicePatch::.*spec\.ports: Required value",
        "{what} annotates a Service that is not there. `kubectl --context {context} get services -A` shows those there "
        "are: correct `namespace` and `service` in Pulumi.{stack}.yaml, or give the labels of the pods as `selector`, "
        f"and Gatehouse makes a Service of its own. {_AGAIN}",
    ),
    _reason(
        "kubernetes",
        r'kind tailscale\.com/\S*ProxyGroup failed|no matches for kind "ProxyGroup"',
        "The cluster does not know what {what} is: its Tailscale operator is older than 1.84, or was installed without "
        "its CRDs. Upgrade its chart, with `installCRDs: true` as by default; or take `proxy_group:` out of "
        f"Pulumi.{{stack}}.yaml. {_AGAIN}",
        ops=_MAKES,
    ),
    _reason(
        "kubernetes",
        r"timed out waiting for the condition",
        "{what} was not gone after ten minutes. The Tailscale operator has to let go first of what it puts on the "
        "tailnet: `kubectl --context {context} -n tailscale get pods` must list it as running, and its shared proxies "
        "where there are some; `kubectl --context {context} -n tailscale logs deployment/operator` says why it does "
        f"not. {_AGAIN}",
        ops="delete replace",
    ),
    _reason(
        "kubernetes",
        r"port is already allocated",
        "Another Service of the cluster has the NodePort of {what}. `kubectl --context {context} get services -A` "
        f"shows which. Choose another port in Pulumi.{{stack}}.yaml, or free this one. {_AGAIN}",
    ),
    _reason(
        "kubernetes",
        r"already exists|AlreadyExists",
        "The cluster has an object with the name of {what} already, and this stack did not make it. An Ingress can be "
        f"taken over: {_ADOPT}. Otherwise look at it with kubectl, and delete it there if nothing uses it, or choose "
        f"another name in Pulumi.{{stack}}.yaml. {_AGAIN}",
        ops=_MAKES,
    ),
    _reason(
        "",
        r"already[ _]exists|already have",
        "There is something in {cloud} with the name of {what} already, and this stack does not know it. To keep it, "
        f"run {_ADOPT}; or delete it there. {_AGAIN}",
    ),
    _reason(
        "kubernetes",
        r'namespaces "[^"]*" not found',
        "The namespace of {what} is not in the cluster of kubectl context {context}. "
        "`kubectl --context {context} get namespaces` shows which there are: is it the right cluster? Create the "
        f"namespace, or correct it in Pulumi.{{stack}}.yaml. {_AGAIN}",
    ),
    _reason(
        "",
        r"ZoneDnssec::.*(?:because it is protected|marked for protection)",
        "{what} is protected: a zone that is no longer signed while the registrar has its DS record does not resolve. "
        "For `dnssec: false`, go in this order:\n"
        "  1. Remove the DS record at the registrar.\n"
        "  2. Wait until its TTL is over, a day or two: `dig DS <zone>` shows nothing then.\n"
        "  3. Run:\n{unprotect}\n"
        "     gatehouse {command} {on}\n"
        "  4. Disable DNSSEC in Cloudflare's dashboard (the zone, DNS, Settings): Gatehouse only forgets it.\n"
        "Until then leave `dnssec: true` in Pulumi.{stack}.yaml.",
    ),
    _reason(
        "",
        r"DnsConfiguration::.*(?:because it is protected|marked for protection)",
        "{what}: Pulumi.{stack}.yaml says nothing of the tailnet's nameservers any more, and devices would go on "
        "asking them. Go in this order:\n"
        "  1. Write `nameservers: []` under `dns:` of `estate.tailnet`, and nothing beside it but `magic_dns:`. Run:\n"
        "     gatehouse up {on}\n"
        "  2. Take that line out, and run:\n{unprotect}\n"
        "     gatehouse up {on}",
    ),
    _reason(
        "",
        r"because it is protected|marked for protection",
        "{what}: this is protected, since losing it takes down more than this stack, and Pulumi.{stack}.yaml does not "
        "ask for it as it is any more. Put that back; or, if you mean it, run this and then {again}:\n{unprotect}",
    ),
    _reason(
        "",
        r'\b404\b|[Nn]ot found|"code":\s*(?:81044|1003)\b',
        "{what}: this is not in {cloud} any more, somebody deleted it there. `gatehouse refresh {on}` takes "
        f"that into the state. {_AGAIN}",
        ops=_CHANGES,
    ),
    _reason(
        "cloudflare",
        r'"code":\s*(?:7003|1003)\b|\b404 Not Found',
        "{what}: the zone or tunnel that this belongs to is not in Cloudflare any more. "
        f"`gatehouse refresh {{on}}` takes that into the state. {_AGAIN}",
        ops=_MAKES,
    ),
    _reason("", rf"{_BROKEN}|: (?:502|504|52[0-4]) ", _LOST, ops=_MAKES),
    # Its plugin sends a request again and again: an earlier one may have arrived.
    _reason("cloudflare", _UNREACHED, _LOST, ops=_MAKES),
    _reason(
        "",
        _BROKEN,
        "The connection to {cloud} broke before the answer for {what} came. Run {again} again: what was done already "
        "is not done twice. If that says that something is not there any more, run "
        "`gatehouse refresh {on}`.",
    ),
    _reason(
        "kubernetes",
        rf"unreachable|unable to load schema|context \S+ does not exist|{_UNREACHED}|x509: ",
        "The cluster of kubectl context {context} does not answer, which {what} needs. "
        "`kubectl --context {context} get nodes` must list its node: start the cluster, or correct `node.context` in "
        f"Pulumi.{{stack}}.yaml. {_AGAIN}",
    ),
    _reason(
        "",
        _UNREACHED,
        "{cloud} could not be reached for {what}, and nothing was changed there: this machine is offline, cannot look "
        "names up, or a proxy or firewall is in the way. Once that is fixed, run {again}.",
    ),
    _reason(
        "",
        r"\((?:429|5\d\d)\)|: (?:429|5\d\d) |Internal error occurred|etcdserver|unable to handle the request",
        "{cloud} answered with an error of its own for {what}: it is busy or has a fault, and nothing is wrong with "
        "your stack. Wait some minutes, then run {again}.",
    ),
)


def shown(progress: Progress, debug: bool = False) -> list[Message]:
    """The messages to print: without what only follows from a failure, and one error where many have one reason."""
    if debug:
        return progress.messages
    repeated = {f.step.urn for _, failures in _grouped(progress) for f in failures[1:]}
    errors = [m for m in progress.messages if m.severity == "error"]
    told = any(_is_cause(m, progress) for m in errors)
    return [
        m
        for m in progress.messages
        if (not told or _is_cause(m, progress)) and not (m.severity == "error" and m.urn in repeated)
    ]


def explanations(progress: Progress, asked: Asked) -> Iterator[str]:
    """A paragraph for each reason for which something failed, with all that failed for it."""
    for reason, failures in _grouped(progress):
        if reason is not None:
            yield _said(reason, failures, asked)


def report(
    progress: Progress,
    asked: Asked,
    log: Path,
    crash: str,
    debug: bool,
    engine_said: Callable[[], Exception | None],
) -> None:
    """Print on stderr why the run failed, below its messages.

    `crash` is the traceback of the program where it failed, `engine_said` gives what the engine said where nothing else
    did.
    """
    failed = [step for step in progress.steps.values() if step.failed]
    lines: list[str] = []
    if crash and not (failed and _AFTERMATH.search(crash)):
        lines += [f"The program failed: {crash.rstrip().splitlines()[-1]}", f"{REPORT}\n  {log}"]
        lines += [crash] * debug
    elif not any(m.severity == "error" for m in progress.messages):
        lines += [str(said) for said in [engine_said()] if said]
    for paragraph in explanations(progress, asked):
        lines += ["", _filled(paragraph)]
    if asked.simulated:
        lines += ["", _filled(_SIMULATED)]
    end = f"\n{asked.command} failed after {progress.seconds:.1f} s."
    if failed and asked.command == "up":
        end += " What was made stays as it is; the next `up` goes on from there."
    shown_log = log.relative_to(asked.project) if log.is_relative_to(asked.project) else log
    print("\n".join([*lines, f"{end} Log: {shown_log}"]), file=sys.stderr)


def _is_cause(message: Message, progress: Progress) -> bool:
    """Whether a message is more than what the engine says while it ends: a failed step's own error always is."""
    step = progress.steps.get(message.urn)
    return bool(step and step.failed) or not _AFTERMATH.search(message.text)


def _grouped(progress: Progress) -> list[tuple[_Reason | None, list[Failure]]]:
    """What failed, by reason; what is of no known kind stands alone."""
    texts: dict[str, list[str]] = {}
    for message in progress.messages:
        about = message.urn and "pulumi:pulumi:Stack" not in message.urn
        if message.severity == "error" and about and _is_cause(message, progress):
            texts.setdefault(message.urn, []).append(message.text)
    groups: list[tuple[_Reason | None, list[Failure]]] = []
    for urn, said in texts.items():
        failure = Failure(progress.steps.get(urn) or Step("", urn), "\n".join(said))
        reason = next((r for r in _REASONS if r.fits(failure)), None)
        for known, failures in groups:
            if reason is not None and known is not None and known.says == reason.says:
                failures.append(failure)
                break
        else:
            groups.append((reason, [failure]))
    return groups


def _said(reason: _Reason, failures: Sequence[Failure], asked: Asked) -> str:
    clouds = list(dict.fromkeys(f.cloud for f in failures))
    words = {
        "what": _listed([f.step.label for f in failures]),
        "cloud": _listed([_CLOUDS.get(cloud, cloud) for cloud in clouds]),
        "stack": asked.stack,
        "command": asked.command,
        "context": asked.context,
        "on": asked.on,
        "again": f"`gatehouse {asked.command} {asked.on}`",
        "credentials": asked.credentials(clouds[0]),
        "needs": _needs(failures),
        "unprotect": "\n".join(
            f"     gatehouse pulumi{' --simulated' * asked.simulated} state unprotect --stack {asked.stack} --yes"
            f" '{f.step.urn}'"
            for f in failures
        ),
        "tests": _policy_tests(asked) if "{tests}" in reason.says else "",
    }
    text = reason.says.format_map(words)
    return text[:1].upper() + text[1:]


def _listed(labels: Sequence[str]) -> str:
    if len(labels) > _LISTED:
        return f"{', '.join(labels[:_LISTED])} and {len(labels) - _LISTED} more"
    return " and ".join(part for part in (", ".join(labels[:-1]), labels[-1]) if part)


def _needs(failures: Iterable[Failure]) -> str:
    """A line for each permission, with what needs it."""
    by_need: dict[str, list[str]] = {}
    for failure in failures:
        if failure.step.type in NEEDS:
            by_need.setdefault(NEEDS[failure.step.type], []).append(failure.step.label)
    return "\n".join(f"  {need}: for {_listed(labels)}" for need, labels in by_need.items()) or "  (not known here)"


def _policy_tests(asked: Asked) -> str:
    """What the tailnet policy's own tests say here, of the policy that the stack files make."""
    from exposure.policy_eval import read_policy, run_tests
    from exposure.policy_eval.policy_tests import lines_of
    from gatehouse.offline import run_offline

    steps = []
    with suppress(CommandError):
        steps = run_offline(asked.project, asked.stack).steps
    texts = [inputs["acl"] for s in steps if isinstance(inputs := s.state.get("inputs"), Mapping) and "acl" in inputs]
    policy = read_policy(str(texts[0])).policy if texts else None
    if policy is None:
        return "Gatehouse could not run them here."
    outcomes = run_tests(policy)
    failed = [outcome for outcome in outcomes if outcome.failures]
    if failed:
        lines = "\n".join(f"  {line}" for outcome in failed for line in lines_of(outcome))
        return (
            f"The same tests, run here:\n{lines}\nChange in Pulumi.{asked.stack}.yaml who may reach what until they "
            f"pass (`gatehouse plan --stack {asked.stack}` has the whole policy). Then run "
            f"`gatehouse {asked.command} {asked.on}`."
        )
    sent = "\n".join(f"  {line}" for outcome in outcomes for line in _tested(outcome.test))
    return (
        f"None of {len(outcomes)} fails here, so Tailscale and Gatehouse disagree. The usual cause is an address that "
        "is no user of the tailnet: Tailscale fails a test from somebody it does not know. Compare these with Users in "
        f"its admin console, and invite who is missing. The tests that were sent:\n{sent}\nThen run "
        f"`gatehouse {asked.command} {asked.on}`."
    )


def _tested(test: PolicyTest | SshTest) -> Iterator[str]:
    for words, targets in (("must reach", test.accept), ("must not reach", test.deny)):
        if targets:
            yield f"{test.src} {words} {', '.join(targets)}"


def _filled(text: str) -> str:
    """Lines of a paragraph; those that are set in are commands or lists and stay whole, as does what is to be typed."""
    whole = _TYPED.sub(lambda typed: typed[0].replace(" ", "\0"), text)
    lines = (
        line if line.startswith("  ") else textwrap.fill(line, width(), break_long_words=False, break_on_hyphens=False)
        for line in whole.splitlines()
    )
    return "\n".join(lines).replace("\0", " ")
