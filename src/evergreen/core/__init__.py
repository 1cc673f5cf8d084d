"""Pure functions of the domain: no files, no clock, no global state."""
