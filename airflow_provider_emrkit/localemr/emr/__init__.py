"""The EMR API: states, rules and shapes. How clusters really run is behind ``localemr.run.contract``."""
