//! `openidconnect` as the client of an application with ES256, with a person: the code flow, the ID token, userinfo, refresh,
//! introspection, revocation. Its list of algorithms ends before ML-DSA: what is signed so has to be refused, and is.

use anyhow::{Context as _, Result, ensure};
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdTokenClaims, CoreJwsSigningAlgorithm, CoreProviderMetadata,
    CoreRevocableToken, CoreTokenResponse, CoreUserInfoClaims,
};
use openidconnect::reqwest::{Client, redirect::Policy};
use openidconnect::{
    AccessTokenHash, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, IntrospectionUrl, IssuerUrl, Nonce, OAuth2TokenResponse as _, PkceCodeChallenge, RedirectUrl,
    RevocationUrl, Scope, TokenIntrospectionResponse as _, TokenResponse as _,
};

use crate::person::{Login, Person, parameter};
use crate::place::{Checks, Place};

/// An application that knows where to authorize, to introspect, to revoke, and maybe all else.
type Relying = CoreClient<EndpointSet, EndpointNotSet, EndpointSet, EndpointSet, EndpointMaybeSet, EndpointMaybeSet>;

/// What a sign-in gave, and what it was asked with.
struct SignedIn {
    tokens: CoreTokenResponse,
    nonce: Nonce,
}

pub async fn run(place: &Place) -> Result<Checks> {
    let mut checks = Checks::of("openidconnect with a person");
    // A client that follows redirects can be sent anywhere.
    let http = Client::builder().redirect(Policy::none()).build()?;
    let relying = relying(place, "classical", &http).await?;
    let person = place.classical_person.as_ref().context("nobody is an end user of the classical application")?;
    let given = signed_in(place, &relying, "classical", person, &http).await;
    let Some(given) = checks.note("a code becomes tokens", given) else { return Ok(checks) };
    checks.note("the ID token is of ES256, and about this sign-in", is_verified(&relying, &given));
    checks
        .note("for another application or another nonce it is refused", is_for_nobody_else(place, &given, &http).await);
    checks.note("userinfo is about the same person", is_about(&relying, &given, person, &http).await);
    checks.note("a refresh gives others, and the spent one none", refreshes(&relying, &given, &http).await);
    checks.note("what is revoked is over", revokes(place, &relying, person, &http).await);
    checks.note("tokens of ML-DSA are refused", is_closed(place, &http).await);
    Ok(checks)
}

async fn relying(place: &Place, application: &str, http: &Client) -> Result<Relying> {
    let metadata = CoreProviderMetadata::discover_async(IssuerUrl::new(place.issuer.clone())?, http).await?;
    let of = place.application(application)?;
    let secret = of.secret.clone().map(ClientSecret::new);
    let client = CoreClient::from_provider_metadata(metadata, ClientId::new(of.id.clone()), secret);
    // Discovery of this library does not read where to introspect and to revoke.
    let introspection = IntrospectionUrl::new(format!("{}/oauth2/introspect", place.issuer))?;
    let revocation = RevocationUrl::new(format!("{}/oauth2/revoke", place.issuer))?;
    let back = of.redirect_uri.clone().context("the application has no address of its own")?;
    let client = client.set_introspection_url(introspection).set_revocation_url(revocation);
    Ok(client.set_redirect_uri(RedirectUrl::new(back)?))
}

/// Asks for a code, has the person follow, and redeems it.
async fn signed_in(
    place: &Place,
    relying: &Relying,
    application: &str,
    login: &Login,
    http: &Client,
) -> Result<SignedIn> {
    let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
    let scopes = place.application(application)?.scope.split(' ').filter(|scope| *scope != "openid");
    let (link, state, nonce) = relying
        .authorize_url(CoreAuthenticationFlow::AuthorizationCode, CsrfToken::new_random, Nonce::new_random)
        .add_scopes(scopes.map(|scope| Scope::new(scope.to_owned())))
        .set_pkce_challenge(challenge)
        .url();
    let back = Person::new(&place.issuer, login)?.follow(&link).await?;
    ensure!(parameter(&back, "state")? == *state.secret(), "another state: {back}");
    ensure!(parameter(&back, "iss")? == place.issuer, "another issuer: {back}");
    let code = AuthorizationCode::new(parameter(&back, "code")?);
    let tokens = relying.exchange_code(code)?.set_pkce_verifier(verifier).request_async(http).await?;
    Ok(SignedIn { tokens, nonce })
}

fn is_verified(relying: &Relying, given: &SignedIn) -> Result<()> {
    let token = given.tokens.id_token().context("no ID token")?;
    let verifier = relying.id_token_verifier();
    let claims: &CoreIdTokenClaims = token.claims(&verifier, &given.nonce)?;
    let algorithm = token.signing_alg()?;
    ensure!(*algorithm == CoreJwsSigningAlgorithm::EcdsaP256Sha256, "it is of {algorithm:?}");
    let hash = AccessTokenHash::from_token(given.tokens.access_token(), algorithm, token.signing_key(&verifier)?)?;
    ensure!(claims.access_token_hash() == Some(&hash), "it binds another access token");
    ensure!(claims.auth_time().is_some(), "it does not say when the person signed in");
    Ok(())
}

async fn is_for_nobody_else(place: &Place, given: &SignedIn, http: &Client) -> Result<()> {
    let token = given.tokens.id_token().context("no ID token")?;
    let own = relying(place, "classical", http).await?;
    ensure!(token.claims(&own.id_token_verifier(), &Nonce::new_random()).is_err(), "any nonce will do");
    let other = relying(place, "web", http).await?;
    ensure!(token.claims(&other.id_token_verifier(), &given.nonce).is_err(), "any application will do");
    Ok(())
}

async fn is_about(relying: &Relying, given: &SignedIn, person: &Login, http: &Client) -> Result<()> {
    let token = given.tokens.id_token().context("no ID token")?;
    let subject = token.claims(&relying.id_token_verifier(), &given.nonce)?.subject().clone();
    // The library itself wants the subject to be the same.
    let request = relying.user_info(given.tokens.access_token().clone(), Some(subject))?;
    let info: CoreUserInfoClaims = request.request_async(http).await?;
    ensure!(info.email().map(|email| email.as_str()) == Some(&person.email), "it is about {:?}", info.email());
    ensure!(info.email_verified() == Some(true), "the address is not verified");
    Ok(())
}

async fn refreshes(relying: &Relying, given: &SignedIn, http: &Client) -> Result<()> {
    let first = given.tokens.refresh_token().context("no refresh token")?;
    let next = relying.exchange_refresh_token(first)?.request_async(http).await?;
    let second = next.refresh_token().context("no other refresh token")?;
    ensure!(second.secret() != first.secret(), "it is the same one");
    let last = relying.exchange_refresh_token(second)?.request_async(http).await?;
    let active = relying.introspect(last.access_token()).request_async(http).await?.active();
    ensure!(active, "the new access token is not active");
    ensure!(relying.exchange_refresh_token(first)?.request_async(http).await.is_err(), "it works again");
    // Whoever showed it ended everything that belongs to it.
    let active = relying.introspect(last.access_token()).request_async(http).await?.active();
    ensure!(!active, "what came of it is active");
    Ok(())
}

/// One access token by itself, then the refresh token, with which everything of that sign-in ends.
async fn revokes(place: &Place, relying: &Relying, person: &Login, http: &Client) -> Result<()> {
    let given = signed_in(place, relying, "classical", person, http).await?;
    let revoked = given.tokens.access_token();
    let refresh = given.tokens.refresh_token().context("no refresh token")?;
    relying.revoke_token(CoreRevocableToken::from(revoked))?.request_async(http).await?;
    ensure!(!relying.introspect(revoked).request_async(http).await?.active(), "the access token is active");
    let next = relying.exchange_refresh_token(refresh)?.request_async(http).await?;
    ensure!(relying.introspect(next.access_token()).request_async(http).await?.active(), "the next one is not active");
    let refresh = next.refresh_token().context("no other refresh token")?;
    relying.revoke_token(CoreRevocableToken::from(refresh))?.request_async(http).await?;
    ensure!(relying.exchange_refresh_token(refresh)?.request_async(http).await.is_err(), "the refresh token works");
    let active = relying.introspect(next.access_token()).request_async(http).await?.active();
    ensure!(!active, "what came of it is active");
    Ok(())
}

/// The application whose ID tokens are of ML-DSA: the library takes none of them, and so nobody is signed in.
async fn is_closed(place: &Place, http: &Client) -> Result<()> {
    let relying = relying(place, "web", http).await?;
    let person = place.person.as_ref().context("nobody is an end user of the other application")?;
    match signed_in(place, &relying, "web", person, http).await {
        Err(error) => ensure!(format!("{error:#}").contains("parse"), "{error:#}"),
        Ok(given) => {
            let token = given.tokens.id_token().context("no ID token")?;
            ensure!(token.claims(&relying.id_token_verifier(), &given.nonce).is_err(), "it is taken");
        }
    }
    Ok(())
}
