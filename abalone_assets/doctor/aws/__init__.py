"""What the doctor looks at on AWS."""
