//! Routes of people: end users (contract 4.9), roles (4.10), the tenant's own (4.11).

use super::{Route, routes, schema};
use crate::error::ErrorCode::{Conflict, Forbidden, NotFound, PreconditionFailed, ValueNotReplayable};
use crate::people::{
    AssignRole, BlockEndUser, CreateEndUser, CreateRole, EndUser, EndUserList, EndUserRole, EndUserStats, Factor,
    Grant, InviteUser, ListEndUsers, ListLogins, ListRoles, ListUsers, Login, Role, Session, SignInPolicy,
    TemporaryPassword, UpdateEndUser, UpdateRole, UpdateSignInPolicy, UpdateUser, User, UserList,
};

routes! {
    /// A new end user.
    END_USER_CREATE = Route::post("createEndUser", "/api/v1/applications/{app}/end-users", "end-users")
        .scope("endusers:write")
        .does("Make an end user of an application; new ones are given the default roles.")
        .takes(schema::<CreateEndUser>())
        .creates(schema::<EndUser>())
        .fails(&[NotFound, Conflict]);
    /// The end users.
    END_USER_LIST = Route::get("listEndUsers", "/api/v1/applications/{app}/end-users", "end-users")
        .scope("endusers:read")
        .does("List the end users of an application, newest first.")
        .asks(schema::<ListEndUsers>())
        .answers(schema::<EndUserList>())
        .fails(&[NotFound]);
    /// How many there are.
    END_USER_STATS = Route::get("endUserStats", "/api/v1/applications/{app}/end-users/stats", "end-users")
        .scope("endusers:read")
        .does("Count the end users of an application.")
        .answers(schema::<EndUserStats>())
        .fails(&[NotFound]);
    /// One end user.
    END_USER_GET = Route::get("getEndUser", "/api/v1/applications/{app}/end-users/{id}", "end-users")
        .scope("endusers:read")
        .does("Read an end user with their roles.")
        .answers(schema::<EndUser>())
        .fails(&[NotFound]);
    /// Change an end user.
    END_USER_UPDATE = Route::patch("updateEndUser", "/api/v1/applications/{app}/end-users/{id}", "end-users")
        .scope("endusers:write")
        .does("Change what is given of an end user.")
        .takes(schema::<UpdateEndUser>())
        .answers(schema::<EndUser>())
        .fails(&[NotFound, Conflict, PreconditionFailed]);
    /// The same by another verb.
    END_USER_PUT = Route::put("replaceEndUser", "/api/v1/applications/{app}/end-users/{id}", "end-users")
        .scope("endusers:write")
        .does("Change what is given of an end user, for clients that say PUT.")
        .takes(schema::<UpdateEndUser>())
        .answers(schema::<EndUser>())
        .fails(&[NotFound, Conflict, PreconditionFailed]);
    /// Remove an end user.
    END_USER_DELETE = Route::delete("deleteEndUser", "/api/v1/applications/{app}/end-users/{id}", "end-users")
        .scope("endusers:write")
        .does("Shut an end user out and free their address; unblocking brings them back.")
        .fails(&[NotFound, Conflict]);
    /// Erase an end user.
    END_USER_ERASE = Route::delete("eraseEndUser", "/api/v1/applications/{app}/end-users/{id}/permanent", "end-users")
        .scope("endusers:write")
        .does("Erase an end user who is shut out, for ever.")
        .fails(&[NotFound, Conflict]);
    /// Block.
    END_USER_BLOCK = Route::post("blockEndUser", "/api/v1/applications/{app}/end-users/{id}/block", "end-users")
        .scope("endusers:write")
        .does("Shut an end user out; their tokens and sessions end within a second.")
        .takes(schema::<BlockEndUser>())
        .answers(schema::<EndUser>())
        .fails(&[NotFound, Conflict]);
    /// Unblock.
    END_USER_UNBLOCK = Route::post("unblockEndUser", "/api/v1/applications/{app}/end-users/{id}/unblock", "end-users")
        .scope("endusers:write")
        .does("Let an end user in again.")
        .answers(schema::<EndUser>())
        .fails(&[NotFound, Conflict]);
    /// Unlock.
    END_USER_UNLOCK = Route::post("unlockEndUser", "/api/v1/applications/{app}/end-users/{id}/unlock", "end-users")
        .scope("endusers:write")
        .does("Forget the wrong passwords that slow an end user down.")
        .answers(schema::<EndUser>())
        .fails(&[NotFound, Conflict]);
    /// Roles of an end user.
    END_USER_ROLES = Route::get("listEndUserRoles", "/api/v1/applications/{app}/end-users/{id}/roles", "end-users")
        .scope("endusers:read")
        .does("List the roles of an end user.")
        .answers(schema::<Vec<EndUserRole>>())
        .fails(&[NotFound]);
    /// Give a role.
    END_USER_ROLE_ADD = Route::post("assignEndUserRole", "/api/v1/applications/{app}/end-users/{id}/roles", "end-users")
        .scope("endusers:write")
        .does("Give an end user a role.")
        .takes(schema::<AssignRole>())
        .creates(schema::<EndUserRole>())
        .fails(&[NotFound, Conflict]);
    /// Take a role.
    END_USER_ROLE_REMOVE = Route::delete("removeEndUserRole", "/api/v1/applications/{app}/end-users/{id}/roles/{roleId}", "end-users")
        .scope("endusers:write")
        .does("Take a role from an end user; tokens that name it are refused within a second.")
        .fails(&[NotFound]);
    /// Send a verification.
    END_USER_VERIFY = Route::post("sendEndUserVerification", "/api/v1/applications/{app}/end-users/{id}/send-verification", "end-users")
        .scope("endusers:write")
        .does("Send an end user a letter by which they prove that the address is theirs.")
        .fails(&[NotFound, Conflict]);
    /// Send a password reset.
    END_USER_RESET = Route::post("sendEndUserPasswordReset", "/api/v1/applications/{app}/end-users/{id}/send-password-reset", "end-users")
        .scope("endusers:write")
        .does("Send an end user a letter by which they set a new password.")
        .fails(&[NotFound, Conflict]);
    /// A temporary password.
    END_USER_TEMPORARY = Route::post("generateTemporaryPassword", "/api/v1/applications/{app}/end-users/{id}/generate-temporary-password", "end-users")
        .scope("endusers:write")
        .does("Give an end user a password that must be changed at the next sign-in, and show it once.")
        .answers(schema::<TemporaryPassword>())
        .fails(&[NotFound, Conflict, ValueNotReplayable]);
    /// Login history.
    END_USER_LOGINS = Route::get("listEndUserLogins", "/api/v1/applications/{app}/end-users/{id}/logins", "end-users")
        .scope("endusers:read")
        .does("The history of an end user, newest first.")
        .asks(schema::<ListLogins>())
        .answers(schema::<Vec<Login>>())
        .fails(&[NotFound]);
    /// Sessions of an end user.
    END_USER_SESSIONS = Route::get("listEndUserSessions", "/api/v1/applications/{app}/end-users/{id}/sessions", "end-users")
        .scope("endusers:read")
        .does("The sessions of an end user, newest first; those that ended stay for the history.")
        .answers(schema::<Vec<Session>>())
        .fails(&[NotFound]);
    /// Sign an end user out everywhere.
    END_USER_SESSIONS_END = Route::delete("endEndUserSessions", "/api/v1/applications/{app}/end-users/{id}/sessions", "end-users")
        .scope("endusers:write")
        .does("End every session, grant and token of an end user within a second.")
        .fails(&[NotFound]);
    /// End one session.
    END_USER_SESSION_END = Route::delete("endEndUserSession", "/api/v1/applications/{app}/end-users/{id}/sessions/{sessionId}", "end-users")
        .scope("endusers:write")
        .does("End one session of an end user with what was granted in it.")
        .fails(&[NotFound]);
    /// What applications may do on somebody's behalf.
    END_USER_GRANTS = Route::get("listEndUserGrants", "/api/v1/applications/{app}/end-users/{id}/grants", "end-users")
        .scope("endusers:read")
        .does("What applications were allowed on an end user's behalf and nobody ended, newest first.")
        .answers(schema::<Vec<Grant>>())
        .fails(&[NotFound]);
    /// End one grant.
    END_USER_GRANT_END = Route::delete("endEndUserGrant", "/api/v1/applications/{app}/end-users/{id}/grants/{grantId}", "end-users")
        .scope("endusers:write")
        .does("End one grant of an end user with every token of its family within a second.")
        .fails(&[NotFound]);
    /// Second factors.
    END_USER_FACTORS = Route::get("listEndUserFactors", "/api/v1/applications/{app}/end-users/{id}/factors", "end-users")
        .scope("endusers:read")
        .does("The second factors of an end user by their kinds, without what they prove themselves by.")
        .answers(schema::<Vec<Factor>>())
        .fails(&[NotFound]);
    /// Take second factors away.
    END_USER_FACTORS_REMOVE = Route::delete("removeEndUserFactors", "/api/v1/applications/{app}/end-users/{id}/factors", "end-users")
        .scope("endusers:write")
        .does("Remove the second factors of an end user who lost them, sign them out everywhere and tell them by a letter.")
        .fails(&[NotFound, Conflict]);
    /// A new role.
    ROLE_CREATE = Route::post("createRole", "/api/v1/roles", "roles")
        .scope("roles:write")
        .does("Make a role.")
        .takes(schema::<CreateRole>())
        .creates(schema::<Role>())
        .fails(&[NotFound, Conflict]);
    /// The roles.
    ROLE_LIST = Route::get("listRoles", "/api/v1/roles", "roles")
        .scope("roles:read")
        .does("List roles: those of an application and the tenant's, or all.")
        .asks(schema::<ListRoles>())
        .answers(schema::<Vec<Role>>())
        .fails(&[NotFound]);
    /// One role.
    ROLE_GET = Route::get("getRole", "/api/v1/roles/{id}", "roles")
        .scope("roles:read")
        .does("Read a role.")
        .answers(schema::<Role>())
        .fails(&[NotFound]);
    /// Change a role.
    ROLE_UPDATE = Route::patch("updateRole", "/api/v1/roles/{id}", "roles")
        .scope("roles:write")
        .does("Change what is given of a role.")
        .takes(schema::<UpdateRole>())
        .answers(schema::<Role>())
        .fails(&[NotFound, Conflict, PreconditionFailed]);
    /// Remove a role.
    ROLE_DELETE = Route::delete("deleteRole", "/api/v1/roles/{id}", "roles")
        .scope("roles:write")
        .does("Delete a role that nobody has.")
        .fails(&[NotFound, Conflict]);
    /// The tenant's people.
    USER_LIST = Route::get("listUsers", "/api/v1/users", "users")
        .scope("users:read")
        .does("List the tenant's own people.")
        .asks(schema::<ListUsers>())
        .answers(schema::<UserList>());
    /// Invite somebody.
    USER_INVITE = Route::post("inviteUser", "/api/v1/users/invite", "users")
        .scope("users:write")
        .does("Invite somebody to the tenant.")
        .takes(schema::<InviteUser>())
        .creates(schema::<User>())
        .fails(&[Forbidden, Conflict]);
    /// One of them.
    USER_GET = Route::get("getUser", "/api/v1/users/{id}", "users")
        .scope("users:read")
        .does("Read one of the tenant's own people.")
        .answers(schema::<User>())
        .fails(&[NotFound]);
    /// Change one of them.
    USER_UPDATE = Route::patch("updateUser", "/api/v1/users/{id}", "users")
        .scope("users:write")
        .does("Change what is given of one of the tenant's own people.")
        .takes(schema::<UpdateUser>())
        .answers(schema::<User>())
        .fails(&[Forbidden, NotFound, Conflict, PreconditionFailed]);
    /// Remove one of them.
    USER_DELETE = Route::delete("deleteUser", "/api/v1/users/{id}", "users")
        .scope("users:write")
        .does("Remove one of the tenant's own people; their tokens and sessions end within a second.")
        .fails(&[Forbidden, NotFound, Conflict]);
    /// Their history.
    USER_LOGINS = Route::get("listUserLogins", "/api/v1/users/{id}/logins", "users")
        .scope("users:read")
        .does("The history of one of the tenant's own people, newest first.")
        .asks(schema::<ListLogins>())
        .answers(schema::<Vec<Login>>())
        .fails(&[NotFound]);
    /// Their sessions.
    USER_SESSIONS = Route::get("listUserSessions", "/api/v1/users/{id}/sessions", "users")
        .scope("users:read")
        .does("The sessions of one of the tenant's own people, newest first.")
        .answers(schema::<Vec<Session>>())
        .fails(&[NotFound]);
    /// Sign one of them out everywhere.
    USER_SESSIONS_END = Route::delete("endUserSessions", "/api/v1/users/{id}/sessions", "users")
        .scope("users:write")
        .does("End every session, grant and token of one of the tenant's own people within a second.")
        .fails(&[Forbidden, NotFound]);
    /// End one of their sessions.
    USER_SESSION_END = Route::delete("endUserSession", "/api/v1/users/{id}/sessions/{sessionId}", "users")
        .scope("users:write")
        .does("End one session of one of the tenant's own people.")
        .fails(&[Forbidden, NotFound]);
    /// What applications may do on their behalf.
    USER_GRANTS = Route::get("listUserGrants", "/api/v1/users/{id}/grants", "users")
        .scope("users:read")
        .does("What applications were allowed on behalf of one of the tenant's own people and nobody ended, newest first.")
        .answers(schema::<Vec<Grant>>())
        .fails(&[NotFound]);
    /// End one of their grants.
    USER_GRANT_END = Route::delete("endUserGrant", "/api/v1/users/{id}/grants/{grantId}", "users")
        .scope("users:write")
        .does("End one grant of one of the tenant's own people with every token of its family within a second.")
        .fails(&[NotFound]);
    /// Their second factors.
    USER_FACTORS = Route::get("listUserFactors", "/api/v1/users/{id}/factors", "users")
        .scope("users:read")
        .does("The second factors of one of the tenant's own people by their kinds, without what they prove themselves by.")
        .answers(schema::<Vec<Factor>>())
        .fails(&[NotFound]);
    /// Take their second factors away.
    USER_FACTORS_REMOVE = Route::delete("removeUserFactors", "/api/v1/users/{id}/factors", "users")
        .scope("users:write")
        .does("Remove the second factors of one of the tenant's own people who lost them, sign them out everywhere and tell them by a letter.")
        .fails(&[Forbidden, NotFound, Conflict]);
    /// How people sign in.
    SIGN_IN_POLICY = Route::get("getSignInPolicy", "/api/v1/sign-in-policy", "users")
        .scope("users:read")
        .does("How the tenant's people sign in, where an application says nothing.")
        .answers(schema::<SignInPolicy>());
    /// Change how people sign in.
    SIGN_IN_POLICY_UPDATE = Route::patch("updateSignInPolicy", "/api/v1/sign-in-policy", "users")
        .scope("admin")
        .does("Change what is given of how the tenant's people sign in; it counts within a second.")
        .takes(schema::<UpdateSignInPolicy>())
        .answers(schema::<SignInPolicy>());
}
