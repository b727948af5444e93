"""A look at the host: probes that change nothing, and the judgements of `core.diagnosis` over what they see."""
