"""What a model is worth: scores, evidence against the champion, the gate and the report."""
