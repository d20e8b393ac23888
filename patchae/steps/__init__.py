"""What a retraining does to one class, step by step; Prefect only decides when and where.

    prepare   manifest and validation -> a `ClassJob`
    learn     train, then score the test images
    enrol     lineage record, MLflow run, registered version
    decide    gate, ledger, promotion

Each step can be called again after a crash at any moment: what is done is found and not repeated,
and what is half-done is done anew. A step's finished work appears in one move.
"""
