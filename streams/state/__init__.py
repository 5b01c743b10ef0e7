"""A lane's state: tables, stores, restoration from changelogs, the worker's directory."""
