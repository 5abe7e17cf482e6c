"""SCANS (arXiv 2408.11491): steer the residual stream, towards refusal or away from it as each prompt deserves."""
