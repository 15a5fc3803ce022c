"""The set-up of the paper on anti-transfer learning, on public data and on its own sets."""
