"""The pages of model versions: what is known of each, and any two compared on the same rows."""
