"""From a run to something to hand on: a checkpoint that other programs load, or a steering artefact."""
