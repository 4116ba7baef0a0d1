"""The command `sspinnpose`, one file a sub-command."""
