"""Imports of real catalogs and logs, through a worker, to a consumer that validates each message."""
