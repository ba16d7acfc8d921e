"""What the owner wrote: the stack file read, typed and checked. Imports neither Pulumi nor a provider SDK."""

VERSION = "0.1.0"
"""One version for all of the repository: its tag, the command line, the plugin and every SDK."""
