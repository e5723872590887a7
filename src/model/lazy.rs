//! A field that is read when a rule first asks for it, and once.

use crate::source::{Missing, Reading, Reason};
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::OnceLock;

/// A value that costs too much to read without being asked for: the limits of every process, say.
pub struct Lazy<T> {
    value: OnceLock<Reading<T>>,
    read: Box<dyn Fn() -> Reading<T> + Send + Sync>,
}

impl<T> Lazy<T> {
    /// A value that `read` will get.
    pub fn new(read: impl Fn() -> Reading<T> + Send + Sync + 'static) -> Self {
        Self { value: OnceLock::new(), read: Box::new(read) }
    }

    /// A value that is there already.
    pub fn of(value: Reading<T>) -> Self
    where
        T: Send + Sync + 'static,
    {
        Self { value: OnceLock::from(value), read: Box::new(|| Err(Missing::Absent)) }
    }

    /// The value, read now if it was not before.
    pub fn get(&self) -> Result<&T, Missing> {
        // A panic here is a bug of hostvet; it makes this field unreadable, not the run.
        let read = || {
            catch_unwind(AssertUnwindSafe(&self.read)).unwrap_or_else(|_| {
                let what = "hostvet failed to read this; please report it".to_owned();
                Err(Missing::unreadable(std::any::type_name::<T>(), Reason::NotRead(what)))
            })
        };
        self.value.get_or_init(read).as_ref().map_err(Clone::clone)
    }
}

impl<T: fmt::Debug> fmt::Debug for Lazy<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Lazy").field(&self.value.get()).finish()
    }
}
