"""EMR Serverless: applications and their job runs."""
