//! What several facts make of the same files, made once.

use super::Host;
use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

/// By its type, each thing that was made of a host for all who ask.
#[derive(Debug, Default)]
pub(super) struct Shared(Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>);

impl Host {
    /// What is made of this host when it is first asked for, of this host or a clone of it; the same for all who ask.
    ///
    /// It is made of a host that shares nothing with this one but the bytes, so that it may keep that without keeping itself.
    pub(crate) fn shared<T: Send + Sync + 'static>(&self, make: impl FnOnce(Host) -> T) -> Arc<T> {
        let known = {
            let mut all = self.shared.0.lock().unwrap_or_else(PoisonError::into_inner);
            let empty = || Arc::new(OnceLock::<Arc<T>>::new()) as Arc<dyn Any + Send + Sync>;
            all.entry(TypeId::of::<T>()).or_insert_with(empty).clone()
        };
        let make = || Arc::new(make(self.clone().afresh()));
        match known.downcast_ref::<OnceLock<Arc<T>>>() {
            Some(known) => known.get_or_init(make).clone(),
            // What stands at a type is of it.
            None => make(),
        }
    }

    /// This host, with nothing known of it yet: each vetting looks at what is there then.
    pub(crate) fn afresh(self) -> Self {
        Self { processes: Arc::default(), shared: Arc::default(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Files, Target};
    use super::*;

    #[test]
    fn what_is_shared_is_made_once_of_each_kind() {
        let host = Host::new(Files::new(), Target::root("x"));
        let number = host.shared(|_| 1u8);
        assert!(Arc::ptr_eq(&number, &host.clone().shared(|_| 2u8)));
        assert_eq!(*host.shared(|_| 3u16), 3);
        assert_eq!(*host.afresh().shared(|_| 4u8), 4);
    }

    #[test]
    fn what_keeps_its_host_does_not_keep_itself() {
        let host = Host::new(Files::new(), Target::root("x"));
        let held = Arc::downgrade(&host.shared(|host| host));
        assert!(held.upgrade().is_some());
        drop(host);
        assert!(held.upgrade().is_none());
    }
}
