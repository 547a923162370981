//! Applications, people, roles and trusts, by id or by what people call them.

use api::applications::{Application, ApplicationList, ListApplications};
use api::limits::PAGE_SIZE_MAX;
use api::people::{EndUser, ListEndUsers, ListRoles, ListUsers, Role, User};
use api::trusts::Trust;
use uuid::Uuid;

use crate::failure::Failure;

/// One of the tenant's own people, or an end user of an application.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Person {
    /// One of the tenant's own.
    Own(Uuid),
    /// Somebody who signs in to an application.
    EndUser { app: Uuid, id: Uuid },
}

impl Person {
    /// Whoever it is.
    pub fn id(self) -> Uuid {
        match self {
            Self::Own(id) | Self::EndUser { id, .. } => id,
        }
    }
}

/// An application by id, client id or name.
pub async fn application(client: &sdk::Client, reference: &str) -> Result<Application, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(client.application(id).await?);
    }
    let is_it = |of: &Application| of.client_id == reference || of.display_name == reference;
    let found = applications(client).await?.into_iter().filter(is_it).collect();
    only(found, "application", reference, "`qapi apps list`", |of| of.id)
}

/// The id of an application by id, client id or name.
pub async fn application_id(client: &sdk::Client, reference: &str) -> Result<Uuid, Failure> {
    match reference.parse() {
        Ok(id) => Ok(id),
        Err(_) => Ok(application(client, reference).await?.id),
    }
}

/// The id of an application that may not have been named.
pub async fn optional_application(client: &sdk::Client, reference: Option<&str>) -> Result<Option<Uuid>, Failure> {
    match reference {
        Some(reference) => application_id(client, reference).await.map(Some),
        None => Ok(None),
    }
}

/// Somebody by id or address: an end user when an application is named.
pub async fn person(client: &sdk::Client, app: Option<&str>, reference: &str) -> Result<Person, Failure> {
    match app {
        Some(app) => {
            let app = application_id(client, app).await?;
            Ok(Person::EndUser { app, id: end_user_id(client, app, reference).await? })
        }
        None => Ok(Person::Own(user_id(client, reference).await?)),
    }
}

/// The id of one of the tenant's own people by id or address.
async fn user_id(client: &sdk::Client, reference: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(id);
    }
    let is_it = |user: &User| user.email.eq_ignore_ascii_case(reference);
    let found = users(client).await?.into_iter().filter(is_it).collect();
    Ok(only(found, "user", reference, "`qapi users list`, or --app for an end user", |user| user.id)?.id)
}

/// The id of an end user by id or address.
pub async fn end_user_id(client: &sdk::Client, app: Uuid, reference: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(id);
    }
    let mut found = end_users_of(client, app, reference, None).await?;
    if found.is_empty() {
        // Whoever was deleted stands among the blocked alone, until they are erased.
        found = end_users_of(client, app, reference, Some(true)).await?;
    }
    let list = "`qapi users list --app APP`, or `qapi users list --app APP --blocked`";
    Ok(only(found, "end user", reference, list, |user| user.id)?.id)
}

/// The end users of this address.
async fn end_users_of(
    client: &sdk::Client,
    app: Uuid,
    email: &str,
    blocked: Option<bool>,
) -> Result<Vec<EndUser>, Failure> {
    let query = ListEndUsers { search: Some(email.to_owned()), blocked, ..ListEndUsers::default() };
    let found = end_users(client, app, query).await?;
    Ok(found.into_iter().filter(|user| user.email.eq_ignore_ascii_case(email)).collect())
}

/// The id of a role by id or name: one that the end users of this application can have, when it is named.
pub async fn role_id(client: &sdk::Client, app: Option<Uuid>, reference: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(id);
    }
    let roles = client.roles(&ListRoles { application_id: app }).await?;
    let found: Vec<Role> = roles.into_iter().filter(|role| role.name == reference).collect();
    Ok(only(found, "role", reference, "`qapi roles list`", |role| role.id)?.id)
}

/// The id of a trust by id or name.
pub async fn trust_id(client: &sdk::Client, reference: &str) -> Result<Uuid, Failure> {
    if let Ok(id) = reference.parse() {
        return Ok(id);
    }
    let found: Vec<Trust> = client.trusts().await?.items.into_iter().filter(|trust| trust.name == reference).collect();
    Ok(only(found, "trust", reference, "`qapi trusts list`", |trust| trust.id)?.id)
}

/// All pages of applications.
pub async fn applications(client: &sdk::Client) -> Result<Vec<Application>, Failure> {
    let mut all = Vec::new();
    for page in 1.. {
        let query = ListApplications { page: Some(page), page_size: Some(PAGE_SIZE_MAX) };
        let (items, has_more) = match client.applications(&query).await? {
            ApplicationList::Page(page) => (page.applications, page.has_more),
            ApplicationList::All(all) => (all, false),
        };
        let is_empty = items.is_empty();
        all.extend(items);
        if !has_more || is_empty {
            break;
        }
    }
    Ok(all)
}

/// All pages of the tenant's own people.
pub async fn users(client: &sdk::Client) -> Result<Vec<User>, Failure> {
    let mut all = Vec::new();
    for page in 1.. {
        let list = client.users(&ListUsers { page: Some(page), page_size: Some(PAGE_SIZE_MAX) }).await?;
        let is_empty = list.users.is_empty();
        all.extend(list.users);
        if !list.has_more || is_empty {
            break;
        }
    }
    Ok(all)
}

/// All pages of an application's end users.
pub async fn end_users(client: &sdk::Client, app: Uuid, query: ListEndUsers) -> Result<Vec<EndUser>, Failure> {
    let mut all = Vec::new();
    for page in 1.. {
        let query = ListEndUsers { page: Some(page), page_size: Some(PAGE_SIZE_MAX), ..query.clone() };
        let list = client.end_users(app, &query).await?;
        let is_empty = list.items.is_empty();
        all.extend(list.items);
        if all.len() as u64 >= list.total_count || is_empty {
            break;
        }
    }
    Ok(all)
}

/// The one that is meant, or what to do when there is none or more than one.
fn only<T>(found: Vec<T>, what: &str, reference: &str, list: &str, id: fn(&T) -> Uuid) -> Result<T, Failure> {
    let ids: Vec<String> = found.iter().map(|one| id(one).to_string()).collect();
    let mut found = found.into_iter();
    match (found.next(), ids.len()) {
        (Some(one), 1) => Ok(one),
        (None, _) => Err(Failure::failed(format!("no {what} is called {reference}"), list)),
        (Some(_), _) => Err(Failure::unusable(
            format!("{} {what}s are called {reference}", ids.len()),
            format!("one of the ids {}", ids.join(" ")),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_is_meant_and_several_are_named() {
        let (first, second) = (Uuid::from_u128(1), Uuid::from_u128(2));
        let find = |found: Vec<Uuid>| only(found, "role", "admin", "`qapi roles list`", |id| *id);
        assert_eq!(find(vec![first]).unwrap(), first);
        let none = find(vec![]).unwrap_err().to_string();
        assert_eq!(none, "error: no role is called admin; try `qapi roles list`");
        let several = find(vec![first, second]).unwrap_err().to_string();
        assert_eq!(several, format!("error: 2 roles are called admin; try one of the ids {first} {second}"));
    }
}
