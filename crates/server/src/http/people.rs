//! Routes of people: end users (contract 4.9), roles (4.10), the tenant's own (4.11).

use std::sync::Arc;

use api::people as wire;
use api::routes::people as routes;
use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use domain::authz::{ReadEndUsers, ReadRoles, ReadUsers, WriteEndUsers, WriteRoles, WriteUsers};
use domain::ids::{AccountId, ApplicationId, GrantId, RoleId, SessionId};

use super::extract::{Allowed, Body, Path, Query};
use super::mount::Mount as _;
use super::reply::{Answer, Reply, if_match};
use crate::app::accounts::letters::Purpose;
use crate::app::end_users::{EndUsers, Whom};
use crate::app::roles::Roles;
use crate::app::users::Users;
use crate::platform::Platform;

type People = State<Arc<EndUsers>>;
type Names = State<Arc<Roles>>;
type Own = State<Arc<Users>>;
type Reader = Allowed<ReadEndUsers>;
type Writer = Allowed<WriteEndUsers>;

/// The routes.
pub fn router() -> Router<Platform> {
    end_users().merge(standing()).merge(roles()).merge(users())
}

fn end_users() -> Router<Platform> {
    Router::new()
        .mount(&routes::END_USER_CREATE, create)
        .mount(&routes::END_USER_LIST, list)
        .mount(&routes::END_USER_STATS, stats)
        .mount(&routes::END_USER_GET, get)
        .mount(&routes::END_USER_UPDATE, update)
        .mount(&routes::END_USER_PUT, update)
        .mount(&routes::END_USER_ROLES, list_roles)
        .mount(&routes::END_USER_ROLE_ADD, assign_role)
        .mount(&routes::END_USER_ROLE_REMOVE, remove_role)
        .mount(&routes::END_USER_LOGINS, logins)
        .mount(&routes::END_USER_SESSIONS, sessions)
}

fn standing() -> Router<Platform> {
    Router::new()
        .mount(&routes::END_USER_DELETE, delete)
        .mount(&routes::END_USER_ERASE, erase)
        .mount(&routes::END_USER_BLOCK, block)
        .mount(&routes::END_USER_UNBLOCK, unblock)
        .mount(&routes::END_USER_UNLOCK, unlock)
        .mount(&routes::END_USER_VERIFY, send_verification)
        .mount(&routes::END_USER_RESET, send_password_reset)
        .mount(&routes::END_USER_TEMPORARY, temporary_password)
        .mount(&routes::END_USER_SESSIONS_END, end_sessions)
        .mount(&routes::END_USER_SESSION_END, end_session)
        .mount(&routes::END_USER_GRANTS, grants)
        .mount(&routes::END_USER_GRANT_END, end_grant)
        .mount(&routes::END_USER_FACTORS, factors)
        .mount(&routes::END_USER_FACTORS_REMOVE, remove_factors)
}

fn roles() -> Router<Platform> {
    Router::new()
        .mount(&routes::ROLE_CREATE, create_role)
        .mount(&routes::ROLE_LIST, list_all_roles)
        .mount(&routes::ROLE_GET, get_role)
        .mount(&routes::ROLE_UPDATE, update_role)
        .mount(&routes::ROLE_DELETE, delete_role)
}

fn users() -> Router<Platform> {
    Router::new()
        .mount(&routes::USER_LIST, list_users)
        .mount(&routes::USER_INVITE, invite)
        .mount(&routes::USER_GET, get_user)
        .mount(&routes::USER_UPDATE, update_user)
        .mount(&routes::USER_DELETE, delete_user)
        .mount(&routes::USER_LOGINS, user_logins)
        .mount(&routes::USER_SESSIONS, user_sessions)
        .mount(&routes::USER_SESSIONS_END, end_user_sessions)
        .mount(&routes::USER_SESSION_END, end_user_session)
        .mount(&routes::USER_GRANTS, user_grants)
        .mount(&routes::USER_GRANT_END, end_user_grant)
        .mount(&routes::USER_FACTORS, user_factors)
        .mount(&routes::USER_FACTORS_REMOVE, remove_user_factors)
}

async fn create(
    State(people): People,
    who: Writer,
    Path(app): Path<ApplicationId>,
    Body(request): Body<wire::CreateEndUser>,
) -> Answer {
    let made = people.create(&who.ctx, &who.auth, app, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/applications/{app}/end-users/{}", made.id), &made)
}

async fn list(
    State(people): People,
    who: Reader,
    Path(app): Path<ApplicationId>,
    Query(query): Query<wire::ListEndUsers>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &people.list(&who.ctx, &who.auth, app, &query).await?)
}

async fn stats(State(people): People, who: Reader, Path(app): Path<ApplicationId>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.stats(&who.ctx, &who.auth, app).await?)
}

async fn get(State(people): People, who: Reader, Path(whom): Path<Whom>) -> Answer {
    let found = people.get(&who.ctx, &who.auth, whom).await?;
    Reply::ok(&who.ctx.origin, &found.body)?.tagged(found.revision)
}

async fn update(
    State(people): People,
    who: Writer,
    Path(whom): Path<Whom>,
    headers: HeaderMap,
    Body(request): Body<wire::UpdateEndUser>,
) -> Answer {
    let changed = people.update(&who.ctx, &who.auth, whom, if_match(&headers)?, request).await?;
    Reply::ok(&who.ctx.origin, &changed.body)?.tagged(changed.revision)
}

async fn delete(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    people.delete(&who.ctx, &who.auth, whom).await?;
    Reply::empty()
}

async fn erase(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    people.erase(&who.ctx, &who.auth, whom).await?;
    Reply::empty()
}

async fn block(
    State(people): People,
    who: Writer,
    Path(whom): Path<Whom>,
    Body(request): Body<wire::BlockEndUser>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &people.block(&who.ctx, &who.auth, whom, request).await?)
}

async fn unblock(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.unblock(&who.ctx, &who.auth, whom).await?)
}

async fn unlock(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.unlock(&who.ctx, &who.auth, whom).await?)
}

async fn list_roles(State(people): People, who: Reader, Path(whom): Path<Whom>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.list_roles(&who.ctx, &who.auth, whom).await?)
}

async fn assign_role(
    State(people): People,
    who: Writer,
    Path(whom): Path<Whom>,
    Body(request): Body<wire::AssignRole>,
) -> Answer {
    let given = people.assign_role(&who.ctx, &who.auth, whom, request).await?;
    let (app, id) = whom;
    Reply::created(&who.ctx.origin, format!("/api/v1/applications/{app}/end-users/{id}/roles"), &given)
}

async fn remove_role(
    State(people): People,
    who: Writer,
    Path((app, id, role)): Path<(ApplicationId, AccountId, RoleId)>,
) -> Answer {
    people.remove_role(&who.ctx, &who.auth, (app, id), role).await?;
    Reply::empty()
}

async fn send_verification(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    people.send(&who.ctx, &who.auth, whom, Purpose::Verification).await?;
    Reply::empty()
}

async fn send_password_reset(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    people.send(&who.ctx, &who.auth, whom, Purpose::Reset).await?;
    Reply::empty()
}

async fn temporary_password(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.temporary_password(&who.ctx, &who.auth, whom).await?)
}

async fn logins(
    State(people): People,
    who: Reader,
    Path(whom): Path<Whom>,
    Query(query): Query<wire::ListLogins>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &people.logins(&who.ctx, &who.auth, whom, query.limit).await?)
}

async fn sessions(State(people): People, who: Reader, Path(whom): Path<Whom>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.sessions(&who.ctx, &who.auth, whom).await?)
}

async fn end_sessions(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    people.end_sessions(&who.ctx, &who.auth, whom).await?;
    Reply::empty()
}

async fn end_session(
    State(people): People,
    who: Writer,
    Path((app, id, session)): Path<(ApplicationId, AccountId, SessionId)>,
) -> Answer {
    people.end_session(&who.ctx, &who.auth, (app, id), session).await?;
    Reply::empty()
}

async fn grants(State(people): People, who: Reader, Path(whom): Path<Whom>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.grants(&who.ctx, &who.auth, whom).await?)
}

async fn end_grant(
    State(people): People,
    who: Writer,
    Path((app, id, grant)): Path<(ApplicationId, AccountId, GrantId)>,
) -> Answer {
    people.end_grant(&who.ctx, &who.auth, (app, id), grant).await?;
    Reply::empty()
}

async fn factors(State(people): People, who: Reader, Path(whom): Path<Whom>) -> Answer {
    Reply::ok(&who.ctx.origin, &people.factors(&who.ctx, &who.auth, whom).await?)
}

async fn remove_factors(State(people): People, who: Writer, Path(whom): Path<Whom>) -> Answer {
    people.remove_factors(&who.ctx, &who.auth, whom).await?;
    Reply::empty()
}

async fn create_role(State(roles): Names, who: Allowed<WriteRoles>, Body(request): Body<wire::CreateRole>) -> Answer {
    let made = roles.create(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/roles/{}", made.id), &made)
}

async fn list_all_roles(State(roles): Names, who: Allowed<ReadRoles>, Query(query): Query<wire::ListRoles>) -> Answer {
    Reply::ok(&who.ctx.origin, &roles.list(&who.ctx, &who.auth, &query).await?)
}

async fn get_role(State(roles): Names, who: Allowed<ReadRoles>, Path(id): Path<RoleId>) -> Answer {
    let found = roles.get(&who.ctx, &who.auth, id).await?;
    Reply::ok(&who.ctx.origin, &found.body)?.tagged(found.revision)
}

async fn update_role(
    State(roles): Names,
    who: Allowed<WriteRoles>,
    Path(id): Path<RoleId>,
    headers: HeaderMap,
    Body(request): Body<wire::UpdateRole>,
) -> Answer {
    let changed = roles.update(&who.ctx, &who.auth, id, if_match(&headers)?, request).await?;
    Reply::ok(&who.ctx.origin, &changed.body)?.tagged(changed.revision)
}

async fn delete_role(State(roles): Names, who: Allowed<WriteRoles>, Path(id): Path<RoleId>) -> Answer {
    roles.delete(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}

async fn list_users(State(users): Own, who: Allowed<ReadUsers>, Query(query): Query<wire::ListUsers>) -> Answer {
    Reply::ok(&who.ctx.origin, &users.list(&who.ctx, &who.auth, &query).await?)
}

async fn invite(State(users): Own, who: Allowed<WriteUsers>, Body(request): Body<wire::InviteUser>) -> Answer {
    let made = users.invite(&who.ctx, &who.auth, request).await?;
    Reply::created(&who.ctx.origin, format!("/api/v1/users/{}", made.id), &made)
}

async fn get_user(State(users): Own, who: Allowed<ReadUsers>, Path(id): Path<AccountId>) -> Answer {
    let found = users.get(&who.ctx, &who.auth, id).await?;
    Reply::ok(&who.ctx.origin, &found.body)?.tagged(found.revision)
}

async fn update_user(
    State(users): Own,
    who: Allowed<WriteUsers>,
    Path(id): Path<AccountId>,
    headers: HeaderMap,
    Body(request): Body<wire::UpdateUser>,
) -> Answer {
    let changed = users.update(&who.ctx, &who.auth, id, if_match(&headers)?, request).await?;
    Reply::ok(&who.ctx.origin, &changed.body)?.tagged(changed.revision)
}

async fn delete_user(State(users): Own, who: Allowed<WriteUsers>, Path(id): Path<AccountId>) -> Answer {
    users.delete(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}

async fn user_logins(
    State(users): Own,
    who: Allowed<ReadUsers>,
    Path(id): Path<AccountId>,
    Query(query): Query<wire::ListLogins>,
) -> Answer {
    Reply::ok(&who.ctx.origin, &users.logins(&who.ctx, &who.auth, id, query.limit).await?)
}

async fn user_sessions(State(users): Own, who: Allowed<ReadUsers>, Path(id): Path<AccountId>) -> Answer {
    Reply::ok(&who.ctx.origin, &users.sessions(&who.ctx, &who.auth, id).await?)
}

async fn end_user_sessions(State(users): Own, who: Allowed<WriteUsers>, Path(id): Path<AccountId>) -> Answer {
    users.end_sessions(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}

async fn end_user_session(
    State(users): Own,
    who: Allowed<WriteUsers>,
    Path((id, session)): Path<(AccountId, SessionId)>,
) -> Answer {
    users.end_session(&who.ctx, &who.auth, id, session).await?;
    Reply::empty()
}

async fn user_grants(State(users): Own, who: Allowed<ReadUsers>, Path(id): Path<AccountId>) -> Answer {
    Reply::ok(&who.ctx.origin, &users.grants(&who.ctx, &who.auth, id).await?)
}

async fn end_user_grant(
    State(users): Own,
    who: Allowed<WriteUsers>,
    Path((id, grant)): Path<(AccountId, GrantId)>,
) -> Answer {
    users.end_grant(&who.ctx, &who.auth, id, grant).await?;
    Reply::empty()
}

async fn user_factors(State(users): Own, who: Allowed<ReadUsers>, Path(id): Path<AccountId>) -> Answer {
    Reply::ok(&who.ctx.origin, &users.factors(&who.ctx, &who.auth, id).await?)
}

async fn remove_user_factors(State(users): Own, who: Allowed<WriteUsers>, Path(id): Path<AccountId>) -> Answer {
    users.remove_factors(&who.ctx, &who.auth, id).await?;
    Reply::empty()
}
