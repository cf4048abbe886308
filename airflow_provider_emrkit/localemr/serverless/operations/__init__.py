"""One module for each kind of thing that EMR Serverless operations act on."""
