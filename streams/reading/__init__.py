"""The read API of a worker: one product or shopper over HTTP."""
