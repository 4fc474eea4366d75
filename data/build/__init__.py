"""Parts of the build of the reference case; run `build_claude.py`."""
