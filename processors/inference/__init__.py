"""The inference service: models in a repository, kept loaded beside the attempts, and the tasks that use them."""
