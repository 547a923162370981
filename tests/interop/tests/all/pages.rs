//! The pages that people see, in a real browser. With `QAPI_SCREENSHOTS` set to a folder, pictures are left there.

use serde_json::{Value, json};

use crate::fetched::{all_hold, client};
use crate::server::Server;

#[test]
fn the_status_page_is_accessible_and_fits_a_phone() {
    let server = Server::start_dev();
    looked_at(&server, json!([{"name": "status", "link": "/", "shows": "Healthy"}]));
}

/// Looks at pages in the views and by the rules of `pages.mjs`.
#[track_caller]
pub fn looked_at(server: &Server, pages: Value) {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().join("place.json");
    std::fs::write(&place, json!({"issuer": server.base_url(), "pages": pages}).to_string()).unwrap();
    all_hold(client("pages.mjs").arg(place));
}
