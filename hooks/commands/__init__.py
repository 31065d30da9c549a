"""One module per subcommand of `hooks`."""
