//! HTTP requests with deadlines and size limits, for the API and for DNS over HTTPS.
