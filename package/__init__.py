"""The components as a Pulumi package, for programs in YAML, TypeScript and other languages (docs/adr)."""
