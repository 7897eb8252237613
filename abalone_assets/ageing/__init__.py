"""Animals whose age nobody knows yet: files of them, and the ages that a model gives them."""
