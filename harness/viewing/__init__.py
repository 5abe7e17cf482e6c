"""`equipoise view`: a run in progress, watched from a browser on the same machine."""
