"""Judges: who says whether a reply refuses."""
