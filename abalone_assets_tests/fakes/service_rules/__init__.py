"""What AWS refuses although its API's models allow it: one table, `table.RULES`."""
