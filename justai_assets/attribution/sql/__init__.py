"""The attribution rule as SQL that a customer runs in a warehouse, in five dialects.

`justai sql` and the connect texts print it; what it exports comes back as a drop or a share.
"""
