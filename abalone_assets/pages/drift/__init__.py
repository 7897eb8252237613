"""What the endpoint was asked lately, beside what its model has learnt."""
