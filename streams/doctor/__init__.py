"""The diagnosis of a deployment: facts gathered at the edge, and checks as functions of them."""
