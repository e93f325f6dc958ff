"""What people read: the HTML report, the tables of the terminal, `justai explain`, and the marts' sources.

Every number comes from `copy_daily`, `message_outcomes` or `attribution_metrics`.
"""
