"""The HTTP service that takes webhooks: it checks who sends, writes each event to its journal, and answers.

A source's `spec.py` says what is taken; the journal (`serving/journal`) brings it to the landing zone.
"""
