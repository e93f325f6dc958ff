"""Send records of the Generate API: which copy was served for which message. Its rows become served_copies."""
