"""Stage 3: the train and validation splits become a model."""
