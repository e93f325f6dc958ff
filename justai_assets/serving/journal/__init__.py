"""The journal: records that are on disk before a request is answered, and the sealer that lands them.

Webhook endpoints append; the landing zone receives each record once, also after a kill.
"""
