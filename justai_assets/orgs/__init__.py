"""One org: its file, checked when it is loaded, and its secrets by reference.

The registry of sources says which sections a file can have; everything that is done for an org starts from it.
"""
