"""What happens around a run: pinning its inputs, showing its outcome."""
