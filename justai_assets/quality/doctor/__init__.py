"""The doctor: one look at an org from its file to its attributed events, each finding with its fix.

`justai doctor` prints the findings, also for a sample file before anything is connected.
"""
