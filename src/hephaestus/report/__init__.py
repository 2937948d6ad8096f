"""What people see: the terminal, summary.json, annotations and step summary of a CI run."""
