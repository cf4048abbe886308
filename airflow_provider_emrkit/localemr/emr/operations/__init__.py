"""The operations of the EMR API, one module per kind of thing they act on."""
