"""The demo: a realistic week for sample orgs, through the doors, with everything that goes wrong in life."""
