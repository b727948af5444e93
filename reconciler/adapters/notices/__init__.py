"""Where notices go, and where they wait."""
