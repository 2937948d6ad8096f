"""What is missing before a release: this machine, the GitHub repository, the indexes. Looks, and changes nothing."""
