"""The model of a release: no network, no nox, nothing outside the standard library and a few small packages."""
