"""The content of the mock services, kept on disk: S3 at each answer, the others a moment after a change."""
