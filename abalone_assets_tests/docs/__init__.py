"""The documents say what is: checked against the tree, or done as they tell."""
