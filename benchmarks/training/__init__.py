"""What anti-transfer costs in time and memory."""
