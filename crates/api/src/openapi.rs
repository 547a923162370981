//! The published document: OpenAPI 3.1, made of the table of routes and the schemas of the bodies.
//!
//! The same input gives the same bytes: every object's members are sorted, so that the checked-in copy can be compared.

use std::collections::{BTreeMap, BTreeSet};

use schemars::generate::SchemaSettings;
use schemars::{Schema, SchemaGenerator};
use serde_json::{Map, Value, json};

use crate::error::{ErrorBody, ErrorCode};
use crate::oauth::OAuthError;
use crate::routes::{self, Access, Answer, Route};

/// The whole document.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = "/components/schemas".into();
    settings.meta_schema = None;
    let mut generator = settings.into_generator();
    let mut paths: BTreeMap<String, Map<String, Value>> = BTreeMap::new();
    for route in routes::all() {
        let item = paths.entry(route.published_path()).or_default();
        item.insert(route.method.as_str().to_lowercase(), operation(route, &mut generator));
    }
    let error = generator.subschema_for::<ErrorBody>();
    generator.subschema_for::<OAuthError>();
    let schemas = generator.take_definitions(true);
    sorted(json!({
        "openapi": "3.1.0",
        "info": {
            "title": "qapi",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "Vault, keys and encryption as a service, safe against quantum computers.",
            "license": { "name": "Apache-2.0", "identifier": "Apache-2.0" },
        },
        "servers": [{ "url": "/" }],
        "security": [{ "apiKey": [] }, { "bearer": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": { "Error": error_response(&error) },
            "headers": headers(),
            "parameters": { "IdempotencyKey": idempotency_key() },
            "securitySchemes": {
                "apiKey": { "type": "apiKey", "in": "header", "name": "X-Api-Key" },
                "bearer": { "type": "http", "scheme": "bearer" },
                "mutualTLS": { "type": "mutualTLS" },
            },
        },
    }))
}

/// The document as it is checked in and served.
pub fn document_text() -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(&document()).map(|text| text + "\n")
}

fn operation(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut responses = error_responses(route);
    responses.insert(route.status.to_string(), success(route, generator));
    let mut operation = json!({
        "operationId": route.operation_id,
        "summary": route.summary,
        "tags": [route.tag],
        "parameters": parameters(route, generator),
        "responses": responses,
        "security": security(route.access),
    });
    if let (Some(request), Some(operation)) = (route.request, operation.as_object_mut()) {
        let media = if route.is_oauth { "application/x-www-form-urlencoded" } else { "application/json" };
        let mut content = Map::new();
        content.insert(media.to_owned(), json!({ "schema": request(generator) }));
        let body = json!({ "content": content });
        operation.insert("requestBody".to_owned(), body);
    }
    operation
}

fn security(access: Access) -> Value {
    match access {
        Access::Anonymous => json!([]),
        Access::Authenticated => json!([{ "apiKey": [] }, { "bearer": [] }]),
        Access::Certificate => json!([{ "mutualTLS": [] }]),
        // OpenAPI 3.1 lets every scheme name the roles an operation requires.
        Access::Scope(scope) => json!([{ "apiKey": [scope] }, { "bearer": [scope] }]),
    }
}

fn parameters(route: &Route, generator: &mut SchemaGenerator) -> Vec<Value> {
    let in_path = route.parameters().map(|name| {
        let schema = if name == "id" || name.ends_with("Id") {
            json!({ "type": "string", "format": "uuid" })
        } else if name == "version" {
            json!({ "type": "integer", "minimum": 1 })
        } else {
            json!({ "type": "string" })
        };
        json!({ "name": name, "in": "path", "required": true, "schema": schema })
    });
    let mut parameters: Vec<Value> = in_path.collect();
    if let Some(query) = route.query {
        parameters.extend(query_parameters(query(generator), generator));
    }
    if route.takes_idempotency_key() {
        parameters.push(json!({ "$ref": "#/components/parameters/IdempotencyKey" }));
    }
    parameters
}

/// A query's schema is an object; each of its members is a parameter of its own.
fn query_parameters(schema: Schema, generator: &SchemaGenerator) -> Vec<Value> {
    let reference = schema.get("$ref").and_then(Value::as_str).unwrap_or_default();
    let name = reference.rsplit('/').next().unwrap_or_default();
    let properties = generator.definitions().get(name).and_then(|definition| definition.get("properties"));
    let properties = properties.and_then(Value::as_object).cloned().unwrap_or_default();
    properties
        .into_iter()
        .map(|(name, mut schema)| {
            let description = schema.as_object_mut().and_then(|schema| schema.remove("description"));
            json!({ "name": name, "in": "query", "description": description, "schema": schema })
        })
        .collect()
}

fn success(route: &Route, generator: &mut SchemaGenerator) -> Value {
    let mut headers = json!({ "X-Request-Id": { "$ref": "#/components/headers/X-Request-Id" } });
    if route.status == 201
        && let Some(headers) = headers.as_object_mut()
    {
        headers.insert("Location".to_owned(), json!({ "$ref": "#/components/headers/Location" }));
    }
    match route.answer {
        Answer::Nothing => json!({ "description": "Done.", "headers": headers }),
        Answer::Json(schema) => {
            let content = json!({ "application/json": { "schema": schema(generator) } });
            json!({ "description": "Done.", "headers": headers, "content": content })
        }
        Answer::Media(media) => {
            let mut content = Map::new();
            for media in media.split(", ") {
                content.insert(media.to_owned(), json!({}));
            }
            json!({ "description": "Done.", "headers": headers, "content": content })
        }
    }
}

/// One answer a status, with all the codes that come with it.
fn error_responses(route: &Route) -> Map<String, Value> {
    if route.is_oauth {
        return oauth_error_responses();
    }
    let codes: BTreeSet<ErrorCode> = common_errors(route).chain(route.errors.iter().copied()).collect();
    let mut by_status: BTreeMap<u16, Vec<&str>> = BTreeMap::new();
    for code in codes {
        by_status.entry(code.status()).or_default().push(code.as_str());
    }
    by_status
        .into_iter()
        .map(|(status, codes)| {
            let content = json!({ "application/json": { "schema": { "$ref": "#/components/schemas/Error" } } });
            let mut answer = json!({ "description": codes.join(", "), "content": content, "x-error-codes": codes });
            if [429, 503].contains(&status)
                && let Some(answer) = answer.as_object_mut()
            {
                let header = json!({ "Retry-After": { "$ref": "#/components/headers/Retry-After" } });
                answer.insert("headers".to_owned(), header);
            }
            (status.to_string(), answer)
        })
        .collect()
}

/// What the endpoints of OAuth refuse with: an object of their own, and pages for people.
fn oauth_error_responses() -> Map<String, Value> {
    let schema = json!({ "$ref": "#/components/schemas/OAuthError" });
    let statuses = ["400", "401", "403", "404", "413", "429", "500", "503"];
    let answer = json!({ "description": "Refused.", "content": { "application/json": { "schema": schema } } });
    statuses.iter().map(|status| ((*status).to_owned(), answer.clone())).collect()
}

/// What any route of its kind can refuse with.
fn common_errors(route: &Route) -> impl Iterator<Item = ErrorCode> {
    use ErrorCode::*;
    let with_body =
        route.request.map(|_| [InvalidRequest, JsonTooDeep, RequestTimeout, PayloadTooLarge, UnsupportedMediaType]);
    let with_query = (route.query.is_some() || route.parameters().next().is_some()).then_some(InvalidRequest);
    let known = (route.access != Access::Anonymous).then_some([Unauthorized, IpNotAllowed, Sealed]);
    let scoped = route.required_scope().map(|_| InsufficientScope);
    let repeated =
        route.takes_idempotency_key().then_some([InvalidRequest, Conflict, ValueNotReplayable, IdempotencyKeyReused]);
    let every = [RateLimitExceeded, Internal, Unavailable];
    with_body
        .into_iter()
        .flatten()
        .chain(with_query)
        .chain(known.into_iter().flatten())
        .chain(scoped)
        .chain(repeated.into_iter().flatten())
        .chain(every)
}

fn error_response(error: &Schema) -> Value {
    json!({ "description": "Refused.", "content": { "application/json": { "schema": error } } })
}

fn headers() -> Value {
    json!({
        "Retry-After": { "description": "Whole seconds to wait.", "schema": { "type": "integer", "minimum": 0 } },
        "X-Request-Id": { "description": "The request, as in the log.", "schema": { "type": "string" } },
        "Location": { "description": "What was made.", "schema": { "type": "string" } },
    })
}

fn idempotency_key() -> Value {
    json!({
        "name": "Idempotency-Key", "in": "header", "required": false,
        "description": "The same key with the same request gets the first answer again, for 24 hours.",
        "schema": {
            "type": "string", "minLength": 1, "maxLength": crate::limits::IDEMPOTENCY_KEY_CHARS,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        },
    })
}

/// The same value with the members of every object in the order of their names.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let members: BTreeMap<String, Value> = members.into_iter().map(|(name, of)| (name, sorted(of))).collect();
            members.into_iter().collect()
        }
        Value::Array(items) => items.into_iter().map(sorted).collect(),
        plain => plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_route_and_every_reference_is_there() {
        let document = document();
        let operations: usize =
            document["paths"].as_object().unwrap().values().map(|item| item.as_object().unwrap().len()).sum();
        assert_eq!(operations, routes::all().count());
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1) {
            let pointer = reference.split('"').next().unwrap();
            assert!(document.pointer(pointer).is_some(), "{pointer}");
        }
    }

    #[test]
    fn the_document_is_the_same_every_time() {
        assert_eq!(document_text().unwrap(), document_text().unwrap());
    }

    #[test]
    fn a_query_is_spread_over_parameters() {
        let document = document();
        let parameters = document["paths"]["/api/v1/secrets"]["get"]["parameters"].as_array().unwrap();
        let names: Vec<&str> = parameters.iter().map(|parameter| parameter["name"].as_str().unwrap()).collect();
        assert_eq!(names, ["contentType", "includeInactive", "label", "page", "pageSize", "search"]);
    }
}
