"""How many agents are needed when: Erlang's formulas, a forecast of calls, and days tried in virtual time."""
