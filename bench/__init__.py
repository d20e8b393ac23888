"""Measurements of the model: each module is a command, run from the root of the repository.

model    the methods against one another on real classes (`make bench-model DATA=folder`)
growth   time and memory by the number of training images (`make bench-growth DATA=folder`)
scale    a night of many small classes on workers (`make bench-scale`)
serve    the scoring service beside MLflow's (`make bench-serve`)
drift    how soon drift is seen, and how often wrongly (`make bench-drift DATA=folder`)
first_page   the block of the README, from a run of the demo (`make bench-demo`)
choose   settings and ideas, by cross-validation on train/good alone

damage   artificial damage for `choose`
methods  what is compared              ours, autoencoder, rivals   the methods, as children
child    what a child does, the same for each      judge    from a child's scores to metrics
runs     one child: started, kept, found again     tables   from the results to the page
"""
