"""Programs: the command line, its demo and preview, policy files, pictures."""
