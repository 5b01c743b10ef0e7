"""`shelfstream demo`: a real shop through a real worker, with a live view."""
