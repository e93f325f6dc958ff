"""The report of an org: one HTML file that a marketer reads, with aggregates only."""
