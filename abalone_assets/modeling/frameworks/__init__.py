"""The frameworks, a module each, by the names in `modeling.hyperparameters`; see `framework`."""
