"""What a pass costs, measured beside a floor and a peer. It prints; nothing is asserted, nothing is installed."""
