"""How the shipped artifacts are made. Serving never imports this room."""
