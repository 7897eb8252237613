"""What `abalone doctor` looks at before anything is launched."""
