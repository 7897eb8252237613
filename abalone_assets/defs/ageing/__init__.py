"""Animals whose rings nobody counted: what landed, and the ages that the live model told."""
