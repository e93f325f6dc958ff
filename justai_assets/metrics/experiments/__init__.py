"""Which arm of a template wins, and how sure that is. Counts in, results out; no clock, no storage."""
