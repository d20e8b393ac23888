"""Training a version again from its lineage record, and comparing what comes out.

    run       the whole of it: record, images, code, training, answer
    code      the source that trained it: a Git worktree of its commit, or the installed one
    again     the training in a process of its own, and its answer
    worker    the script that runs in that process, under that source
    compare   what is otherwise than the record says, one thing at a time

Everything happens in one folder under the project's state, which is removed in the end; the next
start removes what a killed one left.
"""
