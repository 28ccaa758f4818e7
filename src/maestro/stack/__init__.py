"""What the files of a stack say, and what is wrong with them: no host is asked."""
