//! A service with a name of its own on the internet, played on loopback: it is its own proxy.

use super::double::{Answer, Double};
use crate::certificates;
use std::sync::{Arc, Mutex, PoisonError};

/// A service that answers posts by a script; it ends when dropped.
pub struct Named {
    double: Double,
    authority: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Named {
    /// Starts the service of this host, which answers a body with a status and a body.
    pub fn start(host: &str, answer: impl Fn(&str) -> (u16, String) + Send + Sync + 'static) -> Self {
        let authority = certificates::authority();
        let pem = certificates::certificate(&authority, host, |_| {});
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let log = Arc::clone(&asked);
        let double = Double::start(Some(certificates::server(&pem, None)), move |request| {
            let body = String::from_utf8_lossy(&request.body).into_owned();
            let (status, said) = answer(&body);
            log.lock().unwrap_or_else(PoisonError::into_inner).push(body);
            Answer::new(status, said)
        });
        Named { double, authority: authority.pem(), asked }
    }

    /// The proxy behind which it is (its URL).
    pub fn proxy(&self) -> String {
        format!("http://{}", self.double.address)
    }

    /// The authority by which it has a certificate (PEM).
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// The bodies that came.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
