"""Pure decisions: text to Desired, Desired x Observed to Plan, samples to Verdict."""
