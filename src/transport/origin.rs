//! The origin of a web page (RFC 6454), by which a browser decides what the page may call.

use std::str::FromStr;

use http::HeaderValue;
use url::Url;

/// The origin of a web page: scheme, host and port, as a browser sends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Origin(HeaderValue);

impl FromStr for Origin {
    type Err = String;

    /// Parses what a browser would send, such as `https://orders.example` or `http://localhost:5173`.
    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let rule = || {
            format!("'{text}' is not an origin: SCHEME://HOST or SCHEME://HOST:PORT, such as https://orders.example")
        };
        let url = Url::parse(text).map_err(|_| rule())?;
        let is_origin = matches!(url.scheme(), "http" | "https") && url.origin().ascii_serialization() == text;
        if !is_origin {
            return Err(rule());
        }
        HeaderValue::from_str(text).map(Self).map_err(|_| rule())
    }
}

impl Origin {
    /// The value of the header `origin` of a request from such a page.
    pub fn header(&self) -> HeaderValue {
        self.0.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_what_a_browser_sends() {
        for good in ["https://orders.example", "http://localhost:5173", "http://127.0.0.1:8080", "http://[::1]:80808"] {
            let parsed = good.parse::<Origin>();
            assert_eq!(parsed.is_ok(), !good.ends_with("80808"), "{good}: {parsed:?}");
        }
        for bad in [
            "",
            "*",
            "null",
            "orders.example",
            "https://orders.example/",
            "https://orders.example/a",
            "HTTPS://a.b",
            "https://a.b:443",
            "file:///x",
            "https://a@b.c",
            "https://a.b c",
        ] {
            assert!(bad.parse::<Origin>().unwrap_err().contains("SCHEME://HOST"), "{bad}");
        }
    }
}
