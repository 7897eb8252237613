"""Stage 4: the test split says how good the model is, and the gate whether that is enough."""
