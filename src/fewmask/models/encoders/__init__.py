"""From images to feature pyramids; `encoder.py` is the contract."""
