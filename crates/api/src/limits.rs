//! The limits of the contract (section 3) and of our own batch routes.

/// Characters of a secret's name.
pub const SECRET_NAME_CHARS: usize = 255;
/// Characters of a secret's description.
pub const SECRET_DESCRIPTION_CHARS: usize = 1_000;
/// Characters of a content type.
pub const CONTENT_TYPE_CHARS: usize = 100;
/// Characters of a secret's user name.
pub const USERNAME_CHARS: usize = 255;
/// Characters of a key's name.
pub const KEY_NAME_CHARS: usize = 100;
/// Characters of a key's description.
pub const KEY_DESCRIPTION_CHARS: usize = 500;
/// Labels on one secret or key.
pub const LABELS: usize = 50;
/// Characters of one label.
pub const LABEL_CHARS: usize = 100;
/// Versions that one history answer shows at most.
pub const HISTORY_VERSIONS_MAX: u32 = 20;
/// Versions that a history answer shows unless told.
pub const HISTORY_VERSIONS_DEFAULT: u32 = 5;
/// Hours that a share link lives at most.
pub const SHARE_HOURS_MAX: u32 = 720;
/// Hours that a share link lives unless told.
pub const SHARE_HOURS_DEFAULT: u32 = 24;
/// Items of a transit batch.
pub const TRANSIT_BATCH_ITEMS: usize = 100;
/// Items of a batch on `/encrypt`, `/decrypt`, `/sign` and transit rewrap.
pub const BATCH_ITEMS: usize = 1_000;
/// Secrets of one import.
pub const IMPORT_ITEMS: usize = 1_000;
/// Lengths that a data key can have, in bytes.
pub const DATA_KEY_BYTES: [u32; 3] = [16, 24, 32];
/// Bytes of a data key unless told.
pub const DATA_KEY_BYTES_DEFAULT: u32 = 32;
/// Days of grace before a key's deletion unless told.
pub const DELETION_DAYS_DEFAULT: u32 = 30;
/// Bytes of entropy that one call draws at most.
pub const ENTROPY_BYTES_MAX: u32 = 65_536;
/// Entropy calls a minute for one key.
pub const ENTROPY_CALLS_PER_MINUTE: u32 = 100;
/// Bytes in the megabyte that the entropy quota counts.
pub const QUOTA_MEGABYTE_BYTES: u64 = 1 << 20;
/// Rows of a page unless told.
pub const PAGE_SIZE_DEFAULT: u32 = 50;
/// Rows of a page at most.
pub const PAGE_SIZE_MAX: u32 = 200;
/// Levels of nesting in a request body.
pub const JSON_DEPTH: usize = 64;
/// Bytes of a request body: a batch of a thousand fields, or 200,000 characters with room to spare.
pub const BODY_BYTES: usize = 8 << 20;
/// Characters of an idempotency key.
pub const IDEMPOTENCY_KEY_CHARS: usize = 255;
