"""Pure decisions about building packages: text to wishes, wishes to an order, packages and drones to assignments."""
