"""Pure decisions: which gate and why, and all that a stack registers. Imports neither Pulumi nor a provider SDK."""
