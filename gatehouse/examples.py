"""An example or two of each command, for its `--help`."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "new-stack": ("gatehouse new-stack nuc", "gatehouse new-stack nuc --lan-ip 192.168.0.9 --member-of alfred"),
    "check": ("gatehouse check", "gatehouse check alfred --json"),
    "explain": ("gatehouse explain alfred",),
    "map": ("gatehouse map alfred --out map.html",),
    "schema": ("gatehouse schema --write",),
    "who": ("gatehouse who https://grafana.example.com/api --as alice@example.com",),
    "diff": ("gatehouse diff --base main", "gatehouse diff --base main --format markdown"),
    "prove": ("gatehouse prove", "gatehouse prove --from preview.json"),
    "verify": ("gatehouse verify alfred", "gatehouse verify alfred --only 'grafana/*' --junit out.xml"),
    "todo": ("gatehouse todo alfred",),
    "policy-test": ("gatehouse policy-test policy.json --topology nodes.json",),
    "plan": ("gatehouse plan alfred",),
    "preview": ("gatehouse preview alfred --refresh",),
    "up": ("gatehouse up alfred", "gatehouse up alfred --simulated"),
    "refresh": ("gatehouse refresh alfred",),
    "destroy": ("gatehouse destroy alfred --simulated",),
    "adopt": ("gatehouse adopt alfred", "gatehouse adopt alfred --apply"),
    "doubles": ("gatehouse doubles alfred",),
    "rotate": ("gatehouse rotate tunnel-token alfred",),
    "token": ("gatehouse token phone", "gatehouse token phone --rotate"),
    "pulumi": (
        "gatehouse pulumi stack output --json --stack alfred",
        "gatehouse pulumi --simulated stack ls",
    ),
    "completion": (
        'eval "$(gatehouse completion bash)"',
        "gatehouse completion zsh > ~/.zfunc/_gatehouse",
        "gatehouse completion fish > ~/.config/fish/completions/gatehouse.fish",
    ),
}
"""Command -> command lines, as one types them in a shell."""


def epilog(command: str, own: str | None) -> str | None:
    """The end of a command's `--help`: its examples, and what the command says itself. None where there is neither."""
    lines = EXAMPLES.get(command)
    if lines is None or (own or "").startswith("example"):
        return own
    word = "example" if len(lines) == 1 else "examples"
    shown = "\n".join([f"{word}:", *(f"  {line}" for line in lines)])
    return f"{shown}\n\n{own}" if own else shown
