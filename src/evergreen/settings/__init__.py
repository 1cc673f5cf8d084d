"""``params.yaml``, typed and checked, and the paths of the repository."""
