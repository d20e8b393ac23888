"""The servers that patchae outgrows a laptop with, started on one machine without containers.

    settings   where everything lies and listens: one file, shared with `compose.yaml`
    keys       secrets, made at the first start, each in a file of its own
    process    one way to start, wait for and stop a server
    postgres, s3, mlflow, prefect, worker
               one server each: how it is started, when it is ready, what must be made in it
    rules      what an account may do in MLflow
    accounts   the environment of viewer, trainer and promoter
    whole      all of them, in order

`python -m infra.stack` is the command; the containers of `compose.yaml` use it as well, with one
server each.
"""
