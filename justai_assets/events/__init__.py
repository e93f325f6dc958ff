"""The event stream of an org, in one form, and what became of each message.

Attribution comes before; experiments, the report and the marts read what is made here.
"""
