"""What knows topics, offsets and waiting: lanes, transactions, agents, tables and the command line."""
