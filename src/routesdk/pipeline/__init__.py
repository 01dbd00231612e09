"""The stages that turn a benchmark into a trained and judged router, one file each."""
