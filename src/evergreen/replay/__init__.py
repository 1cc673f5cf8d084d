"""What a retraining policy would have brought on one's own history."""
