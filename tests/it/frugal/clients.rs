//! Real ACME clients while the API fails, and ten names in the narrowest window.
