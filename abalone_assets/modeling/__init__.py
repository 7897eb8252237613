"""Features, training, inference, metrics and the gate: pure functions that know no orchestrator."""
