"""Published results on shifting serverless workflows, reproduced offline; see `docs/reproduction.md`."""
