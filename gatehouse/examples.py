"""An example or two of each command, for its `--help`."""

from __future__ import annotations

EXAMPLES: dict[str, tuple[str, ...]] = {
    "new-stack": ("gatehouse new-stack nuc", "gatehouse new-stack nuc --lan-ip 192.168.0.9 --member-of alfred"),
    "check": ("gatehouse check", "gatehouse check --stack alfred --json"),
    "explain": ("gatehouse explain --stack alfred",),
    "map": ("gatehouse map --stack alfred --out map.html",),
    "schema": ("gatehouse schema --write",),
    "who": ("gatehouse who https://grafana.example.com/api --as alice@example.com",),
    "diff": ("gatehouse diff --base main", "gatehouse diff --base main --format markdown"),
    "prove": ("gatehouse prove", "gatehouse prove --from preview.json"),
    "verify": ("gatehouse verify --stack alfred", "gatehouse verify --stack alfred --only 'grafana/*' --junit out.xml"),
    "todo": ("gatehouse todo --stack alfred",),
    "policy-test": ("gatehouse policy-test policy.json --topology nodes.json",),
    "plan": ("gatehouse plan --stack alfred",),
    "preview": ("gatehouse preview --stack alfred --refresh",),
    "up": ("gatehouse up --stack alfred", "gatehouse up --stack alfred --simulated"),
    "refresh": ("gatehouse refresh --stack alfred",),
    "destroy": ("gatehouse destroy --stack alfred --simulated",),
    "adopt": ("gatehouse adopt --stack alfred", "gatehouse adopt --stack alfred --apply"),
    "doubles": ("gatehouse doubles --stack alfred",),
    "rotate": ("gatehouse rotate tunnel-token --stack alfred",),
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
