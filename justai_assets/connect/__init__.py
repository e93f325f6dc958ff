"""What a customer does to connect a source: the page that is made of the template in each source's package.

The org file comes before; the first landed objects come after.
"""
