"""Faults on demand: what goes wrong at AWS now and then, made to happen when it is asked for."""
