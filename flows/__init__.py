"""patchae on Prefect: one file per flow, each calling the library. Nothing else imports Prefect."""
