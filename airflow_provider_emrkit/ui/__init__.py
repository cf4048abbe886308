"""The pages of emrkit in Airflow's web server; nothing else of the package imports them."""
