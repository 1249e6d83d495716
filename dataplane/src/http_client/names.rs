//! Asks the system for the addresses of names, for each name once at a time, however many calls wait for it.
//!
//! The system's resolver blocks a thread for as long as a name server takes. With one question for each call, a name
//! server that does not answer would take all threads that block, and files could not be read any more either.

use std::{
    collections::HashMap,
    error::Error,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use futures::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The addresses, or why there are none.
type Found = Result<Arc<[SocketAddr]>, Arc<io::Error>>;
type Question = Shared<BoxFuture<'static, Found>>;

/// The questions that are not answered yet, by name.
#[derive(Clone, Default)]
pub(super) struct Names(Arc<Mutex<HashMap<String, Question>>>);

impl Names {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, Question>> {
        // Every change is complete, so a panic elsewhere leaves nothing half done.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The question that is on its way, or a new one.
    fn ask(&self, name: &str) -> Question {
        let mut asked = self.lock();
        if let Some(question) = asked.get(name) {
            return question.clone();
        }
        let (own, names) = (name.to_string(), self.clone());
        // A task of its own: it ends, and is forgotten, also when nobody waits for it any more.
        let task = tokio::spawn(async move {
            let found = tokio::net::lookup_host((own.as_str(), 0)).await;
            names.lock().remove(&own);
            found.map(Iterator::collect).map_err(Arc::new)
        });
        let question =
            task.map(|ended| ended.unwrap_or_else(|panicked| Err(Arc::new(panicked.into())))).boxed().shared();
        asked.insert(name.to_string(), question.clone());
        question
    }
}

impl Resolve for Names {
    fn resolve(&self, name: Name) -> Resolving {
        let question = self.ask(name.as_str());
        Box::pin(async move {
            let found = question.await.map_err(|error| Box::new(error) as Box<dyn Error + Send + Sync>)?;
            let addresses: Vec<SocketAddr> = found.to_vec();
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_name_is_asked_for_once_at_a_time_and_forgotten_when_it_is_answered() {
        let names = Names::default();
        let (first, second) = (names.ask("localhost"), names.ask("localhost"));
        assert!(first.ptr_eq(&second), "one question");
        assert!(!names.ask("127.0.0.1").ptr_eq(&first), "another name");
        let found = second.await.expect("addresses");
        assert!(found.iter().all(|address| address.ip().is_loopback()) && !found.is_empty(), "{found:?}");
        assert!(!names.ask("localhost").ptr_eq(&first), "asked anew");
    }

    #[tokio::test]
    async fn a_question_that_nobody_waits_for_is_forgotten_too() {
        let names = Names::default();
        drop(names.ask("localhost"));
        while !names.lock().is_empty() {
            tokio::task::yield_now().await;
        }
    }
}
