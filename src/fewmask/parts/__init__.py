"""What two or more papers share: tensors and modules only."""
