"""Recommendation: from who has what to what somebody may like. Fitting, the fitted tables, and asking them."""
