//! A look at structures in Thrift's compact protocol before the reader of Parquet sees them: nothing is built, so nothing is allocated, and
//! what does not fit its description is refused, so that the reader cannot be led to read the bytes as something else.

/// How deep what is not described may be nested.
const MAX_DEPTH: usize = 60;

/// What a field holds.
#[derive(Debug)]
pub(super) enum Shape {
    /// A whole number of 16 to 64 bits.
    Int,
    Byte,
    Bool,
    Double,
    Bytes,
    Struct(&'static Record),
    List(&'static Shape),
}

/// A structure: the fields that are known, by number.
#[derive(Debug)]
pub(super) struct Record(pub(super) &'static [(i16, Shape)]);

/// What is seen on the way.
#[derive(Debug)]
pub(super) enum Seen {
    Int(i64),
    /// A list begins, with so many elements.
    List(usize),
    /// So many bytes.
    Bytes(usize),
}

/// Why the way ends.
#[derive(Debug, PartialEq)]
pub(super) enum Fault {
    /// The bytes end before it.
    Short,
    /// It is not what it should be, or is refused.
    Wrong(String),
}

fn wrong<T>(what: impl Into<String>) -> Result<T, Fault> {
    Err(Fault::Wrong(what.into()))
}

/// Looks at what is seen in a field of a record, or at the end of a record, which is field 0.
pub(super) type Look<'a> = dyn FnMut(&'static Record, i16, Seen) -> Result<(), Fault> + 'a;

/// Walks through a structure; gives its length in bytes.
pub(super) fn walk(bytes: &[u8], record: &'static Record, look: &mut Look<'_>) -> Result<usize, Fault> {
    let mut walker = Walker { bytes, at: 0 };
    walker.record(record, look)?;
    Ok(walker.at)
}

struct Walker<'a> {
    bytes: &'a [u8],
    at: usize,
}

// The types of fields and elements, as the protocol numbers them.
const TRUE: u8 = 1;
const FALSE: u8 = 2;
const BYTE: u8 = 3;
const INTS: std::ops::RangeInclusive<u8> = 4..=6;
const DOUBLE: u8 = 7;
const BYTES: u8 = 8;
const LIST: u8 = 9;
const SET: u8 = 10;
const MAP: u8 = 11;
const STRUCT: u8 = 12;
const UUID: u8 = 13;

impl Shape {
    fn fits(&self, kind: u8) -> bool {
        match self {
            Shape::Int => INTS.contains(&kind),
            Shape::Byte => kind == BYTE,
            Shape::Bool => matches!(kind, TRUE | FALSE),
            Shape::Double => kind == DOUBLE,
            Shape::Bytes => kind == BYTES,
            Shape::Struct(_) => kind == STRUCT,
            Shape::List(_) => kind == LIST,
        }
    }
}

impl Walker<'_> {
    fn byte(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or(Fault::Short)?;
        self.at += 1;
        Ok(byte)
    }

    fn pass(&mut self, count: u64) -> Result<(), Fault> {
        let left = (self.bytes.len() - self.at) as u64;
        if count > left {
            return Err(Fault::Short);
        }
        self.at += count as usize;
        Ok(())
    }

    fn number(&mut self) -> Result<u64, Fault> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                return Ok(number);
            }
        }
        wrong("a number has more than 64 bits")
    }

    fn int(&mut self) -> Result<i64, Fault> {
        let number = self.number()?;
        Ok((number >> 1) as i64 ^ -((number & 1) as i64))
    }

    /// The type and the count of a list's elements, each of which takes a byte at least.
    fn list(&mut self) -> Result<(u8, usize), Fault> {
        let head = self.byte()?;
        let count = match head >> 4 {
            15 => self.number()?,
            few => u64::from(few),
        };
        if count > (self.bytes.len() - self.at) as u64 {
            return Err(Fault::Short);
        }
        Ok((head & 15, count as usize))
    }

    fn record(&mut self, record: &'static Record, look: &mut Look<'_>) -> Result<(), Fault> {
        let mut id = 0i16;
        loop {
            let head = self.byte()?;
            let kind = head & 15;
            if kind == 0 {
                return look(record, 0, Seen::Int(0));
            }
            id = match head >> 4 {
                0 => self.int()? as i16,
                more => id.checked_add(i16::from(more)).ok_or(Fault::Wrong("a field has no number".to_owned()))?,
            };
            match record.0.iter().find(|(known, _)| *known == id) {
                Some((_, shape)) if shape.fits(kind) => self.field(record, id, shape, kind, look)?,
                Some(_) => return wrong(format!("field {id} has another type than it should")),
                None => self.skip(kind, MAX_DEPTH)?,
            }
        }
    }

    fn field(&mut self, of: &'static Record, id: i16, shape: &'static Shape, kind: u8, look: &mut Look<'_>) -> Result<(), Fault> {
        match shape {
            Shape::Int => {
                let int = self.int()?;
                look(of, id, Seen::Int(int))
            }
            Shape::Bytes => {
                let count = self.number()?;
                self.pass(count)?;
                look(of, id, Seen::Bytes(count as usize))
            }
            Shape::Struct(record) => self.record(record, look),
            Shape::List(element) => {
                let (kind, count) = self.list()?;
                // Some writers give an empty list no type.
                if count > 0 && !element.fits(kind) {
                    return wrong(format!("the list in field {id} has elements of another type"));
                }
                look(of, id, Seen::List(count))?;
                for _ in 0..count {
                    match element {
                        Shape::Struct(record) => self.record(record, look)?,
                        _ => self.skip_element(kind, 1)?,
                    }
                }
                Ok(())
            }
            _ => self.skip(kind, MAX_DEPTH),
        }
    }

    /// As an element of a list, a truth value takes a byte.
    fn skip_element(&mut self, kind: u8, depth: usize) -> Result<(), Fault> {
        if matches!(kind, TRUE | FALSE) { self.pass(1) } else { self.skip(kind, depth) }
    }

    fn skip(&mut self, kind: u8, depth: usize) -> Result<(), Fault> {
        let Some(depth) = depth.checked_sub(1) else { return wrong("it is nested too deep") };
        match kind {
            TRUE | FALSE => Ok(()),
            BYTE => self.pass(1),
            _ if INTS.contains(&kind) => self.number().map(drop),
            DOUBLE => self.pass(8),
            UUID => self.pass(16),
            BYTES => {
                let count = self.number()?;
                self.pass(count)
            }
            LIST | SET => {
                let (kind, count) = self.list()?;
                // The reader of Parquet takes no byte for these.
                if matches!(kind, TRUE | FALSE) && count > 0 {
                    return wrong("a list of truth values is not expected");
                }
                (0..count).try_for_each(|_| self.skip(kind, depth))
            }
            MAP => {
                let count = self.number()?;
                if count == 0 {
                    return Ok(());
                }
                let kinds = self.byte()?;
                if count > (self.bytes.len() - self.at) as u64 || [kinds >> 4, kinds & 15].iter().any(|kind| matches!(*kind, TRUE | FALSE))
                {
                    return wrong("a map is not expected");
                }
                (0..count).try_for_each(|_| self.skip(kinds >> 4, depth).and_then(|()| self.skip(kinds & 15, depth)))
            }
            STRUCT => loop {
                let head = self.byte()?;
                if head & 15 == 0 {
                    return Ok(());
                }
                if head >> 4 == 0 {
                    self.number()?;
                }
                self.skip(head & 15, depth)?;
            },
            _ => wrong("a type is not known"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    static INNER: Record = Record(&[(1, Shape::Int)]);
    static OUTER: Record = Record(&[(1, Shape::Int), (2, Shape::List(&Shape::Struct(&INNER))), (3, Shape::Bytes)]);

    fn seen(bytes: &[u8]) -> Result<(usize, Vec<String>), Fault> {
        let mut seen = Vec::new();
        let length = walk(bytes, &OUTER, &mut |_, id, what| {
            seen.push(format!("{id} {what:?}"));
            Ok(())
        })?;
        Ok((length, seen))
    }

    #[test]
    fn what_is_described_is_seen_and_else_is_refused() {
        let whole = [0x16, 4, 0x19, 0x2c, 0x15, 3, 0, 0x15, 1, 0, 0x18, 2, b'a', b'b', 0, 99];
        let (length, steps) = seen(&whole).unwrap_or_default();
        assert_eq!(length, whole.len() - 1);
        assert_eq!(steps, ["1 Int(2)", "2 List(2)", "1 Int(-2)", "0 Int(0)", "1 Int(-1)", "0 Int(0)", "3 Bytes(2)", "0 Int(0)"]);
        for cut in 0..length {
            assert_eq!(seen(&whole[..cut]), Err(Fault::Short));
        }
        for other in [&[0x18, 1, 9, 0][..], &[0x29, 0x28, 1, 1, 0], &[0x45, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1]]
        {
            assert!(matches!(seen(other), Err(Fault::Wrong(_))), "{other:?}");
        }
        // Lists in lists, deeper than anything is.
        assert!(matches!(seen(&[&[0x49][..], &[0x19; 200]].concat()), Err(Fault::Wrong(_))));
        assert_eq!(seen(&[0x29, 0xfc, 0xff, 0xff, 0xff, 0xff, 7]), Err(Fault::Short));
    }
}
