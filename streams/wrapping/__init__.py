"""Values as other systems write them, on the input topics: unwrapped before an agent gets them."""
