"""What becomes of a model in production: live metrics, drift and performance decline."""
