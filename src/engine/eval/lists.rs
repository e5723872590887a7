//! Macros: what is asked of every item of a list.

use super::super::functions::number;
use super::super::node::{Each, Node};
use super::super::value::{Evaluated, Gap, Items, Made, Value};
use super::{Run, Scope, truth};
use crate::source::Missing;
use std::borrow::Cow;
use std::rc::Rc;

/// Of how many items that `filter`, `map` or `exists_one` kept the values are evidence.
const MAX_ITEMS_SHOWN: usize = 10;

impl<'a> Run<'_, 'a> {
    pub(super) fn items(&self, over: &'a Node, scope: Option<&Scope<'_, 'a>>) -> Result<Items<'a>, Gap> {
        Ok(match self.eval(over, scope)? {
            Value::List(items) => items,
            Value::Map(map, _) => {
                let keys: Vec<_> =
                    map.keys().into_iter().map(|k| Value::Str(Cow::Owned(k.to_owned()))).collect();
                self.spend(keys.len() as u64)?;
                Items::Made(Rc::new(Made { items: keys, unread: map.unread().to_vec() }))
            }
            _ => return Err(Gap::Failed("a macro was asked of what is no list; please report this".into())),
        })
    }

    pub(super) fn each(
        &self,
        node: &Node,
        each: Each,
        over: &'a Node,
        slot: usize,
        test: &'a Node,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Evaluated<'a> {
        let items = self.items(over, scope)?;
        let (of_fact, at) = items.origin();
        let start = self.judgement.mark();
        let mut gap: Option<Gap> = None;
        let mut note = |found: Gap| gap = Some(gap.take().map_or(found.clone(), |g| g.worse(found)));
        let mut made = Made::default();
        let mut count = 0;
        for item in items.iter() {
            let mark = self.judgement.mark();
            let kept = item.map_err(|missing| Gap::of(missing, || self.source(over)));
            let tested = kept.and_then(|value| {
                let inner = Scope { slot, value, of_fact, at, up: scope };
                let holds = self.eval(test, Some(&inner)).and_then(truth)?;
                Ok((holds, inner.value))
            });
            let holds = match tested {
                Ok((holds, value)) => {
                    if holds && each == Each::Filter {
                        made.items.push(value);
                    }
                    Some(holds)
                }
                Err(Gap::Unreadable(why)) if each == Each::Filter => {
                    made.unread.push(why);
                    None
                }
                Err(Gap::Absent(_)) if each == Each::Filter => None,
                Err(found) => {
                    note(found);
                    None
                }
            };
            match (each, holds) {
                (Each::All, Some(false)) => {
                    self.keep_only(start, mark);
                    return Ok(Value::Bool(false));
                }
                (Each::Exists, Some(true)) => {
                    self.keep_only(start, mark);
                    return Ok(Value::Bool(true));
                }
                (Each::ExistsOne | Each::Filter, Some(true)) if count < MAX_ITEMS_SHOWN => count += 1,
                (Each::ExistsOne | Each::Filter, Some(true)) => {
                    count += 1;
                    self.judgement.forget(mark);
                }
                _ => self.judgement.forget(mark),
            }
        }
        if each == Each::Filter {
            if let Some(failed) = gap {
                return Err(failed);
            }
            made.unread.extend_from_slice(items.unread());
            return Ok(Value::List(Items::Made(Rc::new(made))));
        }
        // More than one is more than one, whatever else there may be.
        if each != Each::ExistsOne || count < 2 {
            if let Some(why) = items.unread().first() {
                note(Gap::Unreadable(why.clone()));
            }
            if let Some(gap) = gap {
                return Err(gap);
            }
        }
        let value = Value::Bool(match each {
            Each::All => true,
            Each::ExistsOne => count == 1,
            _ => false,
        });
        // Nothing decided alone: the list as a whole is the evidence.
        self.seen(node, &value, at);
        Ok(value)
    }

    pub(super) fn map(
        &self,
        over: &'a Node,
        slot: usize,
        test: Option<&'a Node>,
        make: &'a Node,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Evaluated<'a> {
        let items = self.items(over, scope)?;
        let (of_fact, at) = items.origin();
        let mut made = Made { items: Vec::new(), unread: items.unread().to_vec() };
        for item in items.iter() {
            let mark = self.judgement.mark();
            let value = item.map_err(|missing| Gap::of(missing, || self.source(over))).and_then(|value| {
                let inner = Scope { slot, value, of_fact, at, up: scope };
                if let Some(test) = test
                    && !truth(self.eval(test, Some(&inner))?)?
                {
                    return Ok(None);
                }
                self.eval(make, Some(&inner)).map(Some)
            });
            match value {
                Ok(Some(value)) => {
                    made.items.push(value);
                    if made.items.len() > MAX_ITEMS_SHOWN {
                        self.judgement.forget(mark);
                    }
                }
                Ok(None) | Err(Gap::Absent(_)) => self.judgement.forget(mark),
                Err(Gap::Unreadable(why)) => made.unread.push(why),
                Err(failed) => return Err(failed),
            }
        }
        Ok(Value::List(Items::Made(Rc::new(made))))
    }

    pub(super) fn top(
        &self,
        list: &'a Node,
        field: usize,
        n: &'a Node,
        scope: Option<&Scope<'_, 'a>>,
    ) -> Evaluated<'a> {
        let items = self.items(list, scope)?;
        let Value::Int(n) = self.eval(n, scope)? else {
            return Err(Gap::Failed("top wants a whole number".into()));
        };
        self.spend(items.len() as u64)?;
        let mut made = Made { items: Vec::new(), unread: items.unread().to_vec() };
        let mut ranked = Vec::new();
        for item in items.iter() {
            match item.map_err(|missing| Gap::of(missing, || self.source(list))) {
                Ok(value @ Value::Record(record, _)) => match record.get(field) {
                    Ok(view) => ranked.push((number(&Value::of(view, None))?, value)),
                    Err(Missing::Unreadable(why)) => made.unread.push(why),
                    Err(Missing::Absent) => {}
                },
                Err(Gap::Unreadable(why)) => made.unread.push(why),
                _ => {}
            }
        }
        // Stable: of equals the first stays first, so the report does not depend on chance.
        ranked.sort_by(|a, b| b.0.total_cmp(&a.0));
        let n = usize::try_from(n).unwrap_or(0);
        made.items = ranked.into_iter().take(n).map(|(_, value)| value).collect();
        Ok(Value::List(Items::Made(Rc::new(made))))
    }
}
