//! The behaviours that are embedded in the binary, so that it works anywhere.

/// One embedded behaviour.
pub(super) struct ShippedBehaviour {
    pub(super) name: &'static str,
    /// File names and their texts.
    pub(super) files: &'static [(&'static str, &'static str)],
}

macro_rules! shipped {
    ($name:literal: $($file:literal),+ $(,)?) => {
        ShippedBehaviour {
            name: $name,
            files: &[$(($file, include_str!(concat!("../../prompts/", $name, "/", $file)))),+],
        }
    };
}

/// All embedded behaviours, by name.
pub(super) const SHIPPED: [ShippedBehaviour; 2] = [
    shipped!("metagaming": "behaviour.toml", "cues.toml", "screen.v1.md", "confirm.v1.md", "gold.jsonl"),
    shipped!("refusal": "behaviour.toml", "cues.toml", "screen.v1.md", "gold.jsonl"),
];
