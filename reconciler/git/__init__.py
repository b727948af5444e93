"""What the git adapter is made of: objects by libgit2, transport by the git command, and the working tree."""
