"""What runs where and what happened, as tables an operator reads."""
