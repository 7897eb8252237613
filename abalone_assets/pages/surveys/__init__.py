"""The pages of survey files: what became of each, and the upload of more."""
