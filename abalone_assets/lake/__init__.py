"""What the lake holds, and the documents that say what it was made from."""
