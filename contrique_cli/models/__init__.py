"""Model files: regressors and flaw probes, those installed, and those imported."""
