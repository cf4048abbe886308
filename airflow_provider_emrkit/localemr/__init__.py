"""A local EMR: one HTTP server that speaks the EMR API and really runs Spark.

It never imports Airflow, nor the provider.
"""
