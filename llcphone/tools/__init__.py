"""Tools: functions that an agent offers to the model."""
