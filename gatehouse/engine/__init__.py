"""Getting and driving the Pulumi engine."""
