//! Values of challenges as clients send them: 43 characters (RFC 8555 section 8.4).

/// One in 64 begins with a hyphen.
pub(crate) const DASHED: &str = "-5qEv-d0Kx3bQm1zVt8Jw2sLr7Yc4Np9Ha6Ug0TfEoI";
pub(crate) const FIRST: &str = "LHDhK3oGRvkiefQnx7OOczTY5Tic_xZ6HcMOc_gmtoM";
pub(crate) const SECOND: &str = "ZTRx1Ckl1-tM05o5zaizTTA0yUy5AGereMgSNWC6Ll8";
pub(crate) const THIRD: &str = "jFKMbEWT8nMCqg0cUGvm5rMe2sR3ZxDsEGHhyAy2Lg4";
pub(crate) const FOURTH: &str = "uuv1nWqA9pS0LJlM6ZTmOyQvQ8M1QyYk2hKXzv3nB7s";
