//! Sums, products and what is glued together.

use super::super::functions::{number, short_enough};
use super::super::syntax::BinaryOp;
use super::super::ty::Ty;
use super::super::value::{Evaluated, Gap, Items, Made, Value};
use std::borrow::Cow;
use std::rc::Rc;

pub(super) fn arith<'a>(op: BinaryOp, left: &Value<'a>, right: &Value<'a>, ty: &Ty) -> Evaluated<'a> {
    match (left, right) {
        (Value::Str(_) | Value::Text(_), Value::Str(_) | Value::Text(_)) => {
            let joined = format!("{left}{right}");
            short_enough(joined.len())?;
            Ok(Value::Str(Cow::Owned(joined)))
        }
        (Value::List(a), Value::List(b)) => {
            let mut made = Made { items: Vec::new(), unread: [a.unread(), b.unread()].concat() };
            for item in a.iter().chain(b.iter()) {
                made.items.push(item.map_err(|missing| Gap::of(missing, || "an item".into()))?);
            }
            Ok(Value::List(Items::Made(Rc::new(made))))
        }
        (a, b) => calculated(op, a, b, ty),
    }
}

/// A number out of two: whole if both are and the type is; exact as long as it can be.
fn calculated<'a>(op: BinaryOp, left: &Value<'a>, right: &Value<'a>, ty: &Ty) -> Evaluated<'a> {
    let (a, b) = (number(left)?, number(right)?);
    if b == 0.0 && matches!(op, BinaryOp::Div | BinaryOp::Rem) {
        return Err(Gap::Failed("division by zero".into()));
    }
    if let (Value::Int(a), Value::Int(b)) = (left, right) {
        let whole = match op {
            BinaryOp::Add => a.checked_add(*b),
            BinaryOp::Sub => a.checked_sub(*b),
            BinaryOp::Mul => a.checked_mul(*b),
            BinaryOp::Div if matches!(ty, Ty::Double) => None,
            BinaryOp::Div => a.checked_div(*b),
            _ => a.checked_rem(*b),
        };
        match whole {
            Some(whole) => return Ok(Value::Int(whole)),
            // Of type double are also whole numbers: a limit, a text taken as a number.
            None if matches!(ty, Ty::Double) => {}
            None => return Err(too_large()),
        }
    }
    let result = match op {
        BinaryOp::Add => a + b,
        BinaryOp::Sub => a - b,
        BinaryOp::Mul => a * b,
        BinaryOp::Div => a / b,
        _ => a % b,
    };
    // Every comparison with "not a number" is false: a rule would pass for want of a value.
    match result.is_nan() {
        true => Err(Gap::Failed(format!("{left} {} {right} has no value", op.symbol()))),
        false => Ok(Value::Double(result)),
    }
}

pub(super) fn too_large() -> Gap {
    Gap::Failed("a number became larger than 64 bits".into())
}
