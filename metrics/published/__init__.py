"""Numbers that papers print, as reference data."""
