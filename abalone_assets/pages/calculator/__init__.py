"""The Age Calculator: how old an animal is, or many are, and how far to trust the answer."""
