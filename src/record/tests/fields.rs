//! What a record's fields are expected to be.

use crate::record::{Field, Record};

/// A field of the format's own, as text.
pub(in crate::record) fn text(record: &Record<'_>, field: &str) -> Option<String> {
    let value = record.field(&Field::of_format(field))?;
    Some(String::from_utf8_lossy(&value).into_owned())
}

/// Asserts the value of each field; `NONE` is that it has none.
#[track_caller]
pub(in crate::record) fn check(record: &Record<'_>, fields: &[(&str, &str)]) {
    for (field, value) in fields {
        let expected = (*value != "NONE").then(|| (*value).to_owned());
        assert_eq!(text(record, field), expected, "{field}");
    }
}
