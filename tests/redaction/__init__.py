"""What redaction is tried on: cases, forms, and lines as they are found in the wild."""
