//! Run folders: one for each stage, visible under its name only when it is complete.
