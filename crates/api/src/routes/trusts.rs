//! Routes of trusts in other issuers.

use super::{Route, routes, schema};
use crate::error::ErrorCode::{Conflict, Forbidden, NotFound};
use crate::trusts::{CreateTrust, TestTrust, Trust, TrustList, TrustVerdict, UpdateTrust};

routes! {
    /// A new trust.
    TRUST_CREATE = Route::post("createTrust", "/api/v1/trusts", "trusts")
        .scope("trusts:write")
        .does("Trust another issuer's tokens, as far as their claims meet rules.")
        .takes(schema::<CreateTrust>())
        .creates(schema::<Trust>())
        .fails(&[Forbidden, Conflict]);
    /// All trusts.
    TRUST_LIST = Route::get("listTrusts", "/api/v1/trusts", "trusts")
        .scope("trusts:read")
        .does("List the trusts in other issuers.")
        .answers(schema::<TrustList>());
    /// One trust.
    TRUST_GET = Route::get("getTrust", "/api/v1/trusts/{id}", "trusts")
        .scope("trusts:read")
        .does("Read a trust in another issuer.")
        .answers(schema::<Trust>())
        .fails(&[NotFound]);
    /// Change a trust.
    TRUST_UPDATE = Route::patch("updateTrust", "/api/v1/trusts/{id}", "trusts")
        .scope("trusts:write")
        .does("Change what is given of a trust, or switch it off and on.")
        .takes(schema::<UpdateTrust>())
        .answers(schema::<Trust>())
        .fails(&[NotFound, Forbidden, Conflict]);
    /// Remove a trust.
    TRUST_DELETE = Route::delete("deleteTrust", "/api/v1/trusts/{id}", "trusts")
        .scope("trusts:write")
        .does("Remove a trust. Tokens that it was believed for die within a second.")
        .fails(&[NotFound]);
    /// Try a trust.
    TRUST_TEST = Route::post("testTrust", "/api/v1/trusts/{id}/test", "trusts")
        .scope("trusts:write")
        .does("Say whether a trust would believe a token, and which of its rules are not met.")
        .takes(schema::<TestTrust>())
        .answers(schema::<TrustVerdict>())
        .fails(&[NotFound]);
}
