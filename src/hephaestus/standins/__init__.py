"""Stand-ins: local servers that keep the rules of the real index, OIDC issuer, Sigstore and GitHub Releases."""
