"""The code inside the sandbox: standard library only until the process is locked down."""
