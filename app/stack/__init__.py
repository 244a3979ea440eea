"""The native runner: installs, renders, starts, watches and stops the whole stack without a container engine.

`components` says declaratively what there is; `install` gets it; `render*` writes
configuration; `supervisor` keeps it alive; `up`, `down`, `status` are what people run.
All state lives in one folder (`paths`). Nothing here imports the reference backend.
"""
