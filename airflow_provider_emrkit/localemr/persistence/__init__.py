"""The content of the mock services, kept on disk: S3 at each answer, the others a moment after a change.

What is kept are pickles, which name classes and functions of this package: a later version must still know
the names that :mod:`.moto_s3`, :mod:`.contents`, :mod:`.moto_services`, :mod:`.reducers` and
:mod:`.log_events` have given to what they put there.
"""
