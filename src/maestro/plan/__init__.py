"""What will happen on which host, decided before anything is done: data in, data out."""
