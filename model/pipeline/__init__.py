"""The pipeline that makes the embedded model; run.py drives it."""
