"""Who builds what next: what needs what, how long it takes, and which drone has it done first."""
