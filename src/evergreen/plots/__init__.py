"""Every picture, and the pages that hold them."""
