//! Routes of applications (contract 4.8) and of the APIs that tokens are for.

use super::{Route, routes, schema};
use crate::applications::{
    Application, ApplicationKey, ApplicationList, CreateApplication, CreateApplicationKey, CreateResourceServer,
    CreatedApplication, ListApplications, ResourceServer, ResourceServerList, RotateClientSecret, RotatedClientSecret,
    UndeliveredLogout, UpdateApplication, UpdateResourceServer,
};
use crate::error::ErrorCode::{Conflict, Forbidden, NotFound, PreconditionFailed, ValueNotReplayable};

routes! {
    /// A new application.
    APPLICATION_CREATE = Route::post("createApplication", "/api/v1/applications", "applications")
        .scope("applications:write")
        .does("Register an application and show its secret once, if it can keep one.")
        .takes(schema::<CreateApplication>())
        .creates(schema::<CreatedApplication>())
        .fails(&[Forbidden, ValueNotReplayable]);
    /// The applications.
    APPLICATION_LIST = Route::get("listApplications", "/api/v1/applications", "applications")
        .scope("applications:read")
        .does("List applications: a bare array, or a page for whoever asks for one.")
        .asks(schema::<ListApplications>())
        .answers(schema::<ApplicationList>());
    /// One application.
    APPLICATION_GET = Route::get("getApplication", "/api/v1/applications/{id}", "applications")
        .scope("applications:read")
        .does("Read an application.")
        .answers(schema::<Application>())
        .fails(&[NotFound]);
    /// Change an application.
    APPLICATION_UPDATE = Route::put("updateApplication", "/api/v1/applications/{id}", "applications")
        .scope("applications:write")
        .does("Change what is given of an application; an empty text or list clears.")
        .takes(schema::<UpdateApplication>())
        .answers(schema::<Application>())
        .fails(&[Forbidden, NotFound, Conflict, PreconditionFailed]);
    /// Remove an application.
    APPLICATION_DELETE = Route::delete("deleteApplication", "/api/v1/applications/{id}", "applications")
        .scope("applications:write")
        .does("Delete an application with its end users; every token of it is refused within a second.")
        .fails(&[NotFound, Conflict]);
    /// A new secret.
    APPLICATION_ROTATE_SECRET =
        Route::post("rotateClientSecret", "/api/v1/applications/{id}/rotate-secret", "applications")
            .scope("applications:write")
            .does("Give an application a new secret and show it once.")
            .takes(schema::<RotateClientSecret>())
            .answers(schema::<RotatedClientSecret>())
            .fails(&[Forbidden, NotFound, Conflict, ValueNotReplayable]);
    /// End what an application was given.
    APPLICATION_REVOKE_TOKENS =
        Route::post("revokeApplicationTokens", "/api/v1/applications/{id}/revoke-tokens", "applications")
            .scope("applications:write")
            .does("End every token, grant and session of an application within a second.")
            .fails(&[NotFound]);
    /// A new API key of an application.
    APPLICATION_KEY_CREATE = Route::post("createApplicationKey", "/api/v1/applications/{id}/keys", "applications")
        .scope("applications:write")
        .does("Make an API key that may do what the application may, and show its text once.")
        .takes(schema::<CreateApplicationKey>())
        .creates(schema::<ApplicationKey>())
        .fails(&[Forbidden, NotFound, ValueNotReplayable]);
    /// The API keys of an application.
    APPLICATION_KEY_LIST = Route::get("listApplicationKeys", "/api/v1/applications/{id}/keys", "applications")
        .scope("applications:read")
        .does("List the API keys of an application.")
        .answers(schema::<Vec<ApplicationKey>>())
        .fails(&[NotFound]);
    /// Revoke an API key of an application.
    APPLICATION_KEY_DELETE =
        Route::delete("deleteApplicationKey", "/api/v1/applications/{id}/keys/{keyId}", "applications")
            .scope("applications:write")
            .does("Revoke an API key of an application.")
            .fails(&[NotFound]);
    /// Logouts that an application was not told of.
    APPLICATION_LOGOUTS =
        Route::get("listUndeliveredLogouts", "/api/v1/applications/{id}/undelivered-logouts", "applications")
            .scope("applications:read")
            .does("Sessions that are over and of which the application could not be told, newest first; kept for 30 days.")
            .answers(schema::<Vec<UndeliveredLogout>>())
            .fails(&[NotFound]);

    /// A new API that tokens are for.
    RESOURCE_SERVER_CREATE = Route::post("createResourceServer", "/api/v1/resource-servers", "applications")
        .scope("applications:write")
        .does("Register an API that tokens are for.")
        .takes(schema::<CreateResourceServer>())
        .creates(schema::<ResourceServer>())
        .fails(&[Conflict]);
    /// The APIs that tokens are for.
    RESOURCE_SERVER_LIST = Route::get("listResourceServers", "/api/v1/resource-servers", "applications")
        .scope("applications:read")
        .does("List the APIs that tokens are for.")
        .answers(schema::<ResourceServerList>());
    /// One API.
    RESOURCE_SERVER_GET = Route::get("getResourceServer", "/api/v1/resource-servers/{id}", "applications")
        .scope("applications:read")
        .does("Read an API that tokens are for.")
        .answers(schema::<ResourceServer>())
        .fails(&[NotFound]);
    /// Change an API.
    RESOURCE_SERVER_UPDATE = Route::patch("updateResourceServer", "/api/v1/resource-servers/{id}", "applications")
        .scope("applications:write")
        .does("Change what is given of an API that tokens are for.")
        .takes(schema::<UpdateResourceServer>())
        .answers(schema::<ResourceServer>())
        .fails(&[NotFound, Conflict]);
    /// Remove an API.
    RESOURCE_SERVER_DELETE = Route::delete("deleteResourceServer", "/api/v1/resource-servers/{id}", "applications")
        .scope("applications:write")
        .does("Remove an API that tokens are for: nobody can ask for tokens for it any more.")
        .fails(&[NotFound]);
}
