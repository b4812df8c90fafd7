"""npslstm."""
