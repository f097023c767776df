"""One verb, one file: what each command and each function of the Python interface does."""
