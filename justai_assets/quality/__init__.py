"""Whether the data can be trusted: the checks of each day, the doctor, the state of each source.

It reads landing zone and lake after they are written; `dag/` turns its results into asset checks.
"""
