"""The model of a release: no network, no nox, only the standard library and small packages."""
