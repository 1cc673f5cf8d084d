"""What a retraining policy would have achieved on your own history."""
