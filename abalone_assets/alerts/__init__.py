"""What people are told of by message: each matter once, and again when it is over."""
