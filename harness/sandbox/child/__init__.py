"""What runs inside the sandbox. Standard library until the process is locked down."""
