"""Shows a VerifyReport: one module a form. JSON is the noun's own (``VerifyReport.to_json``)."""
