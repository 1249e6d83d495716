//! A request of an operator and the reply to it, as far as faults distinguish them.

use std::fmt;

use axum::body::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Uri};

/// A request.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Asked {
    /// What it is for.
    pub class: Class,
    method: Method,
    uri: Uri,
}

/// What a request is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Class {
    /// To read once.
    Read,
    /// To change something.
    Write,
    /// To be told of changes.
    Watch,
}

impl Asked {
    /// What a request asks for.
    pub fn of<B>(request: &Request<B>) -> Self {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let watches = uri.query().is_some_and(|query| query.contains("watch=true"));
        let class = match method {
            Method::GET if watches => Class::Watch,
            Method::GET => Class::Read,
            _ => Class::Write,
        };
        Self { class, method, uri }
    }

    /// Whether it is a watch.
    #[must_use]
    pub fn is_watch(&self) -> bool {
        self.class == Class::Watch
    }

    /// The same for the same request when it is sent again; a watch begins elsewhere then.
    #[must_use]
    pub fn key(&self) -> String {
        if self.is_watch() { format!("WATCH {}", self.uri.path()) } else { self.to_string() }
    }
}

impl fmt::Display for Asked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.method, self.uri)
    }
}

/// A reply.
#[derive(Clone)]
pub struct Reply {
    /// Its status.
    pub status: StatusCode,
    /// Its headers.
    pub headers: HeaderMap,
    /// Its body.
    pub body: Bytes,
}
