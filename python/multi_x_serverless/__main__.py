"""``python -m multi_x_serverless``."""

from multi_x_serverless.cli.main import main

main()
