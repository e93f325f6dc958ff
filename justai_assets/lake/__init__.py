"""Our Delta tables: read by day, replaced by day in one commit, compacted, and asked which days are built and by what.

The sources and all later tables write through it.
"""
