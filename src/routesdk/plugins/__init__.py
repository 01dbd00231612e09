"""The built-in plugins: each registers exactly as an outsider's does."""
