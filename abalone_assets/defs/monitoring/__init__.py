"""What the endpoint was asked, and how that compares with what its model has learnt."""
