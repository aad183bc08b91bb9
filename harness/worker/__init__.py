"""The worker: claims runs, hands them to an executor, and stores the results; it alone writes their rows."""
