"""What a drone does: takes an offer, builds it, says how it went, through any death of its own."""
