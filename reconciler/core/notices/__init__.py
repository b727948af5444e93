"""What is told of a pass, to whom it matters, and in whose form; pure decisions."""
