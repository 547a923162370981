use anyhow::{Context as _, Result, ensure};
use quantumapi::Error;
use quantumapi::models::applications::{
    ApplicationResponse, CreateApiKeyRequest, CreateApplicationRequest, UpdateApplicationRequest,
};
use quantumapi::models::end_users::{CreateEndUserRequest, EndUserResponse, ListEndUsersOptions, UpdateEndUserRequest};
use quantumapi::models::users::{InviteUserRequest, UpdateUserRequest};
use uuid::Uuid;

use crate::tally::Tally;
use crate::{Sdk, ensure_eq, ensure_error};

const CALLBACK: &str = "https://app.example/callback";

pub async fn run(sdk: &Sdk, tally: &mut Tally) {
    applications(sdk, tally).await;
    people(sdk, tally).await;
    standing(sdk, tally).await;
    tally.check("users.list", users_list(sdk)).await;
    tally.check("users.get", users_get(sdk)).await;
    tally.check("users.invite", users_invite(sdk)).await;
    tally.check("users.update", users_update(sdk)).await;
    tally.check("users.delete", users_delete(sdk)).await;
}

async fn applications(sdk: &Sdk, tally: &mut Tally) {
    tally.check("applications.list", list(sdk)).await;
    tally.check("applications.get", get(sdk)).await;
    tally.check("applications.create", create(sdk)).await;
    tally.check("applications.update", update(sdk)).await;
    tally.check("applications.delete", delete(sdk)).await;
    tally.check("applications.list_api_keys", keys_list(sdk)).await;
    tally.check("applications.create_api_key", keys_create(sdk)).await;
    tally.check("applications.delete_api_key", keys_delete(sdk)).await;
}

async fn people(sdk: &Sdk, tally: &mut Tally) {
    tally.check("end_users.list", people_list(sdk)).await;
    tally.check("end_users.list_with", people_list_with(sdk)).await;
    tally.check("end_users.get", people_get(sdk)).await;
    tally.check("end_users.create", people_create(sdk)).await;
    tally.check("end_users.update", people_update(sdk)).await;
    tally.check("end_users.stats", stats(sdk)).await;
    tally.check("end_users.list_roles", roles_list(sdk)).await;
    tally.check("end_users.assign_role", role_assign(sdk)).await;
    tally.check("end_users.remove_role", role_remove(sdk)).await;
    tally.check("end_users.login_history", logins(sdk)).await;
}

async fn standing(sdk: &Sdk, tally: &mut Tally) {
    tally.check("end_users.delete", people_delete(sdk)).await;
    tally.check("end_users.delete_permanent", people_erase(sdk)).await;
    tally.check("end_users.block", block(sdk)).await;
    tally.check("end_users.unblock", unblock(sdk)).await;
    tally.check("end_users.unlock", unlock(sdk)).await;
    tally.check("end_users.send_verification", verification(sdk)).await;
    tally.check("end_users.send_password_reset", reset(sdk)).await;
    tally.check("end_users.generate_temporary_password", temporary(sdk)).await;
}

fn wanted(sdk: &Sdk, label: &str, kind: &str) -> CreateApplicationRequest {
    CreateApplicationRequest {
        name: sdk.name(label),
        description: Some("words".into()),
        application_type: Some(kind.into()),
        environment: Some("Staging".into()),
        redirect_uris: Some(vec![CALLBACK.into()]),
        post_logout_redirect_uris: None,
        allowed_scopes: Some(vec!["openid".into(), "orders".into()]),
        resources: Some(vec!["https://api.example/mcp".into()]),
    }
}

async fn application(sdk: &Sdk, label: &str) -> Result<ApplicationResponse> {
    sdk.client.applications.create(wanted(sdk, label, "WebApp")).await.context("an application")
}

async fn person(sdk: &Sdk, label: &str) -> Result<(Uuid, EndUserResponse)> {
    let app = application(sdk, label).await?.id;
    let request = CreateEndUserRequest::builder(format!("{}@example.com", sdk.name(label)), "Ada").build();
    Ok((app, sdk.client.end_users.create(app, request).await.context("an end user")?))
}

async fn create(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "app").await?;
    ensure_eq!((app.name, app.description.as_deref()), (sdk.name("app"), Some("words")));
    ensure_eq!((app.application_type.as_deref(), app.environment.as_deref()), (Some("WebApp"), Some("Staging")));
    ensure_eq!((app.is_active, app.is_confidential), (true, true));
    ensure_eq!(
        (app.redirect_uris, app.allowed_scopes),
        (vec![CALLBACK.to_owned()], vec!["openid".into(), "orders".to_owned()])
    );
    ensure_eq!(app.resources, vec!["https://api.example/mcp".to_owned()]);
    let spa = sdk.client.applications.create(wanted(sdk, "spa", "SPA")).await?;
    ensure_eq!(spa.is_confidential, false);
    let mut bad = wanted(sdk, "bad", "SPA");
    bad.redirect_uris = Some(vec!["http://app.example/".into()]);
    ensure_error!(sdk.client.applications.create(bad).await, Error::Validation { .. });
    Ok(())
}

async fn list(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "list").await?;
    let (mut found, mut page) = (Vec::new(), 1);
    loop {
        let answer = sdk.client.applications.list(page, 2).await?;
        ensure_eq!((answer.page, answer.page_size), (page, 2));
        found.extend(answer.applications.into_iter().map(|row| row.id));
        if !answer.has_more {
            ensure_eq!(answer.total, found.len() as u64);
            break;
        }
        page += 1;
    }
    ensure!(found.contains(&app.id), "not listed");
    Ok(())
}

async fn get(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "get").await?;
    let got = sdk.client.applications.get(app.id).await?;
    ensure_eq!((got.id, got.client_id, got.created_at), (app.id, app.client_id, app.created_at));
    ensure_error!(sdk.client.applications.get(Uuid::new_v4()).await, Error::NotFound { .. });
    Ok(())
}

async fn update(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "update").await?;
    let request = UpdateApplicationRequest {
        display_name: Some(sdk.name("updated")),
        allowed_scopes: Some(vec![]),
        ..Default::default()
    };
    let changed = sdk.client.applications.update(app.id, request).await?;
    ensure_eq!((changed.name, changed.allowed_scopes), (sdk.name("updated"), Vec::<String>::new()));
    ensure_eq!((changed.redirect_uris, changed.description), (app.redirect_uris, app.description));
    Ok(())
}

async fn delete(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "delete").await?;
    sdk.client.applications.delete(app.id).await?;
    ensure_error!(sdk.client.applications.get(app.id).await, Error::NotFound { .. });
    Ok(())
}

async fn key(sdk: &Sdk, app: Uuid) -> Result<quantumapi::models::applications::ApiKeyResponse> {
    let request = CreateApiKeyRequest { name: sdk.name("key"), expires_at: None };
    Ok(sdk.client.applications.create_api_key(app, request).await?)
}

async fn keys_create(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "key-made").await?.id;
    let made = key(sdk, app).await?;
    let text = made.key.context("no text")?;
    ensure!(text.starts_with("qapi_") && text.starts_with(&made.prefix), "another form");
    ensure_eq!((made.application_id, made.name, made.is_active), (app, sdk.name("key"), true));
    Ok(())
}

async fn keys_list(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "key-list").await?.id;
    let made = key(sdk, app).await?;
    let listed = sdk.client.applications.list_api_keys(app).await?;
    ensure_eq!(listed.iter().map(|row| (row.id, row.key.is_none())).collect::<Vec<_>>(), vec![(made.id, true)]);
    Ok(())
}

async fn keys_delete(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "key-gone").await?.id;
    let made = key(sdk, app).await?;
    sdk.client.applications.delete_api_key(app, made.id).await?;
    ensure_eq!(sdk.client.applications.list_api_keys(app).await?.len(), 0);
    let other = application(sdk, "key-other").await?.id;
    ensure_error!(sdk.client.applications.delete_api_key(other, made.id).await, Error::NotFound { .. });
    Ok(())
}

async fn people_create(sdk: &Sdk) -> Result<()> {
    let app = application(sdk, "person").await?.id;
    let request = || {
        CreateEndUserRequest::builder("Ada@Example.com", "Ada")
            .first_name("Ada")
            .last_name("Lovelace")
            .phone_number("+44 20")
            .password("correct horse battery")
            .email_verified(true)
            .metadata(r#"{"plan":"gold"}"#)
            .build()
    };
    let made = sdk.client.end_users.create(app, request()).await?;
    ensure_eq!((made.email.as_str(), made.email_verified, made.application_id), ("Ada@Example.com", true, Some(app)));
    ensure_eq!((made.first_name.as_deref(), made.metadata.as_deref()), (Some("Ada"), Some(r#"{"plan":"gold"}"#)));
    ensure_eq!((made.is_blocked, made.is_locked_out, made.login_count), (false, false, 0));
    ensure_error!(sdk.client.end_users.create(app, request()).await, Error::Conflict { .. });
    Ok(())
}

async fn people_list(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "listed").await?;
    let listed = sdk.client.end_users.list(app, 1, 1).await?;
    ensure_eq!(listed.items.iter().map(|row| row.id).collect::<Vec<_>>(), vec![user.id]);
    ensure_eq!((listed.total_count, listed.page, listed.page_size, listed.has_more()), (1, 1, 1, false));
    Ok(())
}

async fn people_list_with(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "found").await?;
    let count = async |options: ListEndUsersOptions| -> Result<u64> {
        Ok(sdk.client.end_users.list_with(app, &options).await?.total_count)
    };
    let options = ListEndUsersOptions::default;
    ensure_eq!(count(options().search("ADA")).await?, 1);
    ensure_eq!(count(options().search("grace")).await?, 0);
    ensure_eq!(count(options().blocked(true)).await?, 0);
    ensure_eq!(count(options().email_verified(false)).await?, 1);
    let role = role(sdk, app, "found").await?;
    sdk.client.end_users.assign_role(app, user.id, role).await?;
    ensure_eq!(count(options().role_id(role)).await?, 1);
    Ok(())
}

async fn people_get(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "got").await?;
    let got = sdk.client.end_users.get(app, user.id).await?;
    ensure_eq!((got.id, got.email, got.roles.map(|roles| roles.len())), (user.id, user.email, Some(0)));
    ensure_eq!(got.connections.map(|connections| connections.len()), Some(0));
    ensure_error!(sdk.client.end_users.get(app, Uuid::new_v4()).await, Error::NotFound { .. });
    Ok(())
}

async fn people_update(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "changed").await?;
    let request = UpdateEndUserRequest {
        display_name: Some("Lady L".into()),
        profile_picture_url: Some("https://a.example/p.png".into()),
        ..Default::default()
    };
    let changed = sdk.client.end_users.update(app, user.id, request).await?;
    ensure_eq!((changed.display_name.as_str(), changed.email), ("Lady L", user.email));
    ensure_eq!(changed.profile_picture_url.as_deref(), Some("https://a.example/p.png"));
    Ok(())
}

async fn stats(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "counted").await?;
    sdk.client.end_users.block(app, user.id, None).await?;
    let stats = sdk.client.end_users.stats(app).await?;
    ensure_eq!((stats.total_users, stats.verified_users, stats.unverified_users), (1, 0, 1));
    ensure_eq!((stats.blocked_users, stats.active_users), (1, 0));
    Ok(())
}

/// The SDK has no methods of roles: one is made by hand.
async fn role(sdk: &Sdk, app: Uuid, label: &str) -> Result<Uuid> {
    let base = std::env::var("QUANTUMAPI_BASE_URL")?;
    let key = std::env::var("QUANTUMAPI_KEY")?;
    let body = serde_json::json!({"name": sdk.name(label), "applicationId": app}).to_string();
    let request = reqwest::Client::new().post(format!("{base}/api/v1/roles")).header("X-Api-Key", key);
    let answer = request.header("Content-Type", "application/json").body(body).send().await?.error_for_status()?;
    let made: serde_json::Value = serde_json::from_str(&answer.text().await?)?;
    Ok(made["id"].as_str().context("no id")?.parse()?)
}

async fn roles_list(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "roles").await?;
    ensure_eq!(sdk.client.end_users.list_roles(app, user.id).await?.len(), 0);
    let role = role(sdk, app, "roles").await?;
    sdk.client.end_users.assign_role(app, user.id, role).await?;
    let own = sdk.client.end_users.list_roles(app, user.id).await?;
    ensure_eq!(own.iter().map(|own| own.role_id).collect::<Vec<_>>(), vec![role]);
    Ok(())
}

async fn role_assign(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "given").await?;
    let role = role(sdk, app, "given").await?;
    let given = sdk.client.end_users.assign_role(app, user.id, role).await?;
    ensure_eq!((given.role_id, given.role_name), (role, sdk.name("given")));
    ensure_error!(sdk.client.end_users.assign_role(app, user.id, role).await, Error::Conflict { .. });
    Ok(())
}

async fn role_remove(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "taken").await?;
    let role = role(sdk, app, "taken").await?;
    sdk.client.end_users.assign_role(app, user.id, role).await?;
    sdk.client.end_users.remove_role(app, user.id, role).await?;
    ensure_eq!(sdk.client.end_users.list_roles(app, user.id).await?.len(), 0);
    Ok(())
}

async fn logins(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "history").await?;
    ensure_eq!(sdk.client.end_users.login_history(app, user.id, Some(10)).await?.len(), 0);
    ensure_error!(sdk.client.end_users.login_history(app, Uuid::new_v4(), None).await, Error::NotFound { .. });
    Ok(())
}

async fn people_delete(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "deleted").await?;
    sdk.client.end_users.delete(app, user.id).await?;
    ensure_eq!(sdk.client.end_users.get(app, user.id).await?.is_blocked, true);
    ensure_eq!(sdk.client.end_users.list(app, 1, 10).await?.total_count, 0);
    Ok(())
}

async fn people_erase(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "erased").await?;
    ensure_error!(sdk.client.end_users.delete_permanent(app, user.id).await, Error::Conflict { .. });
    sdk.client.end_users.block(app, user.id, None).await?;
    sdk.client.end_users.delete_permanent(app, user.id).await?;
    ensure_error!(sdk.client.end_users.get(app, user.id).await, Error::NotFound { .. });
    Ok(())
}

async fn block(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "blocked").await?;
    let blocked = sdk.client.end_users.block(app, user.id, Some("spam")).await?;
    ensure_eq!((blocked.is_blocked, blocked.blocked_reason.as_deref()), (true, Some("spam")));
    ensure!(blocked.blocked_at.is_some(), "since when");
    Ok(())
}

async fn unblock(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "unblocked").await?;
    sdk.client.end_users.block(app, user.id, Some("spam")).await?;
    let free = sdk.client.end_users.unblock(app, user.id).await?;
    ensure_eq!((free.is_blocked, free.blocked_reason, free.blocked_at), (false, None, None));
    Ok(())
}

async fn unlock(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "unlocked").await?;
    let free = sdk.client.end_users.unlock(app, user.id).await?;
    ensure_eq!((free.id, free.is_locked_out), (user.id, false));
    Ok(())
}

async fn verification(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "verified").await?;
    Ok(sdk.client.end_users.send_verification(app, user.id).await?)
}

async fn reset(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "reset").await?;
    Ok(sdk.client.end_users.send_password_reset(app, user.id).await?)
}

async fn temporary(sdk: &Sdk) -> Result<()> {
    let (app, user) = person(sdk, "temporary").await?;
    let first = sdk.client.end_users.generate_temporary_password(app, user.id).await?;
    let second = sdk.client.end_users.generate_temporary_password(app, user.id).await?;
    ensure_eq!(first.email, user.email);
    ensure!(
        first.temporary_password.len() >= 16 && first.temporary_password != second.temporary_password,
        "one and the same"
    );
    Ok(())
}

async fn invited(sdk: &Sdk, label: &str) -> Result<quantumapi::models::users::UserResponse> {
    let email = format!("{}@example.com", sdk.name(label));
    let request = InviteUserRequest { email, role: "member".into(), display_name: Some("Grace".into()) };
    Ok(sdk.client.users.invite(request).await?)
}

async fn users_invite(sdk: &Sdk) -> Result<()> {
    let user = invited(sdk, "invited").await?;
    ensure_eq!((user.role.as_str(), user.is_active, user.mfa_enabled), ("member", true, false));
    ensure_eq!(
        (user.email.clone(), user.display_name.as_deref()),
        (format!("{}@example.com", sdk.name("invited")), Some("Grace"))
    );
    let again = InviteUserRequest { email: user.email, role: "member".into(), display_name: None };
    ensure_error!(sdk.client.users.invite(again).await, Error::Conflict { .. });
    Ok(())
}

async fn users_list(sdk: &Sdk) -> Result<()> {
    let user = invited(sdk, "user-list").await?;
    let listed = sdk.client.users.list(1, 1).await?;
    ensure_eq!((listed.users.first().map(|user| user.id), listed.page, listed.page_size), (Some(user.id), 1, 1));
    ensure_eq!(listed.has_more, listed.total > 1);
    Ok(())
}

async fn users_get(sdk: &Sdk) -> Result<()> {
    let user = invited(sdk, "user-got").await?;
    ensure_eq!(sdk.client.users.get(user.id).await?.email, user.email);
    ensure_error!(sdk.client.users.get(Uuid::new_v4()).await, Error::NotFound { .. });
    Ok(())
}

async fn users_update(sdk: &Sdk) -> Result<()> {
    let user = invited(sdk, "user-changed").await?;
    let request =
        UpdateUserRequest { role: Some("admin".into()), display_name: Some("Hopper".into()), is_active: Some(false) };
    let changed = sdk.client.users.update(user.id, request).await?;
    ensure_eq!((changed.role.as_str(), changed.display_name.as_deref()), ("admin", Some("Hopper")));
    ensure_eq!(changed.is_active, false);
    Ok(())
}

async fn users_delete(sdk: &Sdk) -> Result<()> {
    let user = invited(sdk, "user-gone").await?;
    sdk.client.users.delete(user.id).await?;
    ensure_error!(sdk.client.users.get(user.id).await, Error::NotFound { .. });
    Ok(())
}
