"""What the endpoint was asked: captured requests as rows, their drift, the errors seen since."""
