"""How models learn, and what is said of them without the test split."""
