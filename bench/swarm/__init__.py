"""How well packages are placed on drones: simulated makespans beside an honest lower bound. Nothing is asserted."""
