"""Stage 1: surveys become rows that obey the contract."""
