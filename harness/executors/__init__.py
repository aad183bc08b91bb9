"""Where attempts run: `base` is the contract, `threads` this process. An executor never opens a store."""
