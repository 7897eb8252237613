"""Whether what the records say is what is stored: ``abalone verify``. It changes nothing."""
