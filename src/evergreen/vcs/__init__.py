"""git and DVC: every command and every internal of theirs that Evergreen uses."""
