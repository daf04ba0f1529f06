//! The filters that are embedded in the binary.

/// A shipped filter: its name and its TOML text.
#[derive(Clone, Copy, Debug)]
pub struct Shipped {
    /// The name that a jail uses.
    pub name: &'static str,
    /// The text of `templates/filters/NAME.toml`.
    pub text: &'static str,
}

/// All shipped filters, by name.
pub const SHIPPED: &[Shipped] = &[];
