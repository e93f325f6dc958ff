"""What messages led to, counted by send day, and what the counts decide: comparisons, intervals, verdicts.

`events/message_outcomes` comes before; report, terminal and marts (`reporting/`) show what is made here.
"""
