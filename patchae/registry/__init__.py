"""What is deployed: MLflow runs and versions, gates, ledger, promotion and rollback."""
