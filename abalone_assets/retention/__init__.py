"""What may go, so that what the platform keeps does not grow for ever."""
