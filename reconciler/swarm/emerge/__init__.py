"""What `emerge` prints, read: text in, values out, nothing guessed."""
