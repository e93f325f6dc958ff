"""Attacks on the running platform, longer than a test: `python -m justai_assets_tests.attack`."""
