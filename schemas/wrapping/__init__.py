"""Values as other systems write them: recognized by their shape, and unwrapped to events of the contract."""
