"""Applications of EMR Serverless: made, kept as their specs say, started, stopped and deleted."""
