//! Fields that hold one of a few words.

/// An enum whose variants rules see as words. Made by [`crate::word!`].
pub trait Word: Copy {
    /// The words with their documentation, in the order of the variants.
    const WORDS: &'static [(&'static str, &'static str)];

    /// This one's word.
    fn word(self) -> &'static str;
}

/// Makes an enum whose variants rules see as words; a rule that compares it with another word is refused.
///
/// ```
/// hostvet::word! {
///     /// Which of the two limits a line sets.
///     pub enum Kind {
///         /// The limit in force.
///         Soft = "soft",
///         /// The ceiling of the soft limit.
///         Hard = "hard",
///     }
/// }
/// ```
#[macro_export]
macro_rules! word {
    (
        $(#[doc = $doc:expr])*
        pub enum $name:ident {
            $( $(#[doc = $variant_doc:expr])* $variant:ident = $word:literal ),* $(,)?
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name {
            $( $(#[doc = $variant_doc])* $variant, )*
        }

        impl $crate::model::Word for $name {
            const WORDS: &'static [(&'static str, &'static str)] =
                &[$( ($word, concat!($($variant_doc),*)) ),*];

            fn word(self) -> &'static str {
                match self { $( Self::$variant => $word, )* }
            }
        }

        impl $crate::model::Field for $name {
            const TYPE: $crate::model::Type =
                $crate::model::Type::Word(<$name as $crate::model::Word>::WORDS);

            fn view(&self) -> $crate::source::Reading<$crate::model::View<'_>> {
                Ok($crate::model::View::Str(std::borrow::Cow::Borrowed($crate::model::Word::word(*self))))
            }
        }
    };
}
