"""What the owner wrote: the stack file read, typed and checked. Imports neither Pulumi nor a provider SDK."""
