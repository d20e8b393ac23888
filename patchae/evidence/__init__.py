"""What a few test images can show: estimates with the range in which the truth may lie.

Pure functions of labels, scores and counts. `auroc` is about telling defective from good, `counts`
about shares. How often the ranges hold the truth is measured by `make bench-gates`.
"""
