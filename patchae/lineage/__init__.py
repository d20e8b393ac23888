"""What can be proven: the lineage record of a model version, and the audit that recomputes it."""
