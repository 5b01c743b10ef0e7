"""Student, encoder, prototypes and decision as one program on a device, and the host's part of it."""
