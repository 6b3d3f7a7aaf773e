"""Pictures of strangers: opened, the right way up, in eight bits. For documents and inference."""
