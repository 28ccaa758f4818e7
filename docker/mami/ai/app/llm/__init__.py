"""Language models, and what to do when one fails."""
