//! Equality, order and membership.

use super::super::functions::{number, parse_number};
use super::super::syntax::BinaryOp;
use super::super::value::{Gap, Items, Value};
use super::Run;
use std::cmp::Ordering;

impl Run<'_, '_> {
    pub(super) fn compare(&self, op: BinaryOp, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Gap> {
        if matches!(op, BinaryOp::Eq | BinaryOp::Ne) {
            return Ok(self.equal(left, right)? == (op == BinaryOp::Eq));
        }
        let order = match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => Some(a.cmp(b)),
            (a, b) => match (a.as_str(), b.as_str()) {
                (Some(a), Some(b)) => Some(a.cmp(b)),
                _ => numbers_in_order(a, b)?,
            },
        };
        Ok(match op {
            BinaryOp::Lt => order == Some(Ordering::Less),
            BinaryOp::Le => matches!(order, Some(Ordering::Less | Ordering::Equal)),
            BinaryOp::Gt => order == Some(Ordering::Greater),
            _ => matches!(order, Some(Ordering::Greater | Ordering::Equal)),
        })
    }

    fn equal(&self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Gap> {
        self.spend(1)?;
        match (left, right) {
            (Value::Bool(a), Value::Bool(b)) => Ok(a == b),
            (Value::List(a), Value::List(b)) => self.equal_lists(a, b),
            (a, b) => match (a.as_str(), b.as_str()) {
                (Some(a), Some(b)) => Ok(a == b),
                // A text in a list, beside a number.
                (Some(text), None) => Ok(same_number(text, b)?),
                (None, Some(text)) => Ok(same_number(text, a)?),
                _ => Ok(numbers_in_order(a, b)? == Some(Ordering::Equal)),
            },
        }
    }

    fn equal_lists(&self, left: &Items<'_>, right: &Items<'_>) -> Result<bool, Gap> {
        if let Some(why) = left.unread().iter().chain(right.unread()).next() {
            return Err(Gap::Unreadable(why.clone()));
        }
        if left.len() != right.len() {
            return Ok(false);
        }
        let mut gap: Option<Gap> = None;
        for (a, b) in left.iter().zip(right.iter()) {
            let item = |missing| Gap::of(missing, || "an item of a list".into());
            match a.and_then(|a| Ok((a, b?))).map_err(item) {
                Ok((a, b)) if !self.equal(&a, &b)? => return Ok(false),
                Ok(_) => {}
                Err(found) => gap = Some(gap.map_or(found.clone(), |g| g.worse(found))),
            }
        }
        gap.map_or(Ok(true), Err)
    }

    pub(super) fn contained(&self, left: &Value<'_>, right: &Value<'_>) -> Result<bool, Gap> {
        let mut gap: Option<Gap> = None;
        let unread = match right {
            Value::Map(map, _) => {
                let keys = map.keys();
                self.spend(keys.len() as u64)?;
                if keys.iter().any(|key| Some(*key) == left.as_str()) {
                    return Ok(true);
                }
                map.unread()
            }
            Value::List(items) => {
                for item in items.iter() {
                    match item.map_err(|missing| Gap::of(missing, || "an item of the list".into())) {
                        Ok(item) if self.equal(left, &item)? => return Ok(true),
                        Ok(_) => {}
                        Err(found) => gap = Some(gap.map_or(found.clone(), |g| g.worse(found))),
                    }
                }
                items.unread()
            }
            _ => &[],
        };
        if let Some(why) = unread.first() {
            let found = Gap::Unreadable(why.clone());
            gap = Some(gap.map_or(found.clone(), |g| g.worse(found)));
        }
        gap.map_or(Ok(false), Err)
    }
}

/// Whether the text is this number; one that is no number is none.
fn same_number(text: &str, number: &Value<'_>) -> Result<bool, Gap> {
    match parse_number(text) {
        Some(found) => Ok(numbers_in_order(&found, number)? == Some(Ordering::Equal)),
        None => Ok(false),
    }
}

/// The order of two numbers, exactly even where an int and a double meet; `None` with a NaN.
pub(in crate::engine) fn numbers_in_order(
    left: &Value<'_>,
    right: &Value<'_>,
) -> Result<Option<Ordering>, Gap> {
    Ok(match (left, right) {
        (Value::Int(a), Value::Int(b)) => Some(a.cmp(b)),
        (Value::Int(a), Value::Double(b)) => int_with_double(*a, *b),
        (Value::Double(a), Value::Int(b)) => int_with_double(*b, *a).map(Ordering::reverse),
        (a, b) => number(a)?.partial_cmp(&number(b)?),
    })
}

fn int_with_double(int: i64, double: f64) -> Option<Ordering> {
    const TWO_63: f64 = 9_223_372_036_854_775_808.0;
    if double.is_nan() {
        return None;
    }
    if double >= TWO_63 {
        return Some(Ordering::Less);
    }
    if double < -TWO_63 {
        return Some(Ordering::Greater);
    }
    let whole = double.trunc();
    let order = int.cmp(&(whole as i64));
    Some(order.then_with(|| whole.partial_cmp(&double).unwrap_or(Ordering::Equal)))
}
