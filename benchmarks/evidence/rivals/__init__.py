"""What anti-transfer is compared with, on public interfaces of skorch and scikit-learn."""
