"""Secrets, their history, and share links."""

import datetime
import uuid
import warnings

from quantumapi.errors import NotFoundError, QuantumAPIError, ValidationError

from .session import check, equal, refused


@check("secrets.create")
async def _(sdk):
    expires_at = datetime.datetime.now(datetime.timezone.utc).replace(microsecond=0) + datetime.timedelta(days=9)
    given = {
        "description": "words",
        "content_type": "login",
        "expires_at": expires_at,
        "labels": ["production"],
        "username": "app",
        "notes": "a note",
        "urls": [{"url": "https://db.example", "snake_case": "kept"}],
        "custom_fields": [{"name": "Port_Number", "value": "5432", "hidden": True}],
        "totp_secret": "JBSWY3DPEHPK3PXP",
    }
    made = await sdk.client.secrets.create(sdk.name("users-api/db"), 'p"w\\ü', **given)
    read = await sdk.client.secrets.get(made.id)
    for secret in (made, read):
        equal({field: getattr(secret, field) for field in given}, given)
        equal((secret.name, secret.value, secret.version), (sdk.name("users-api/db"), 'p"w\\ü', 1))
        equal((secret.is_active, secret.has_totp, secret.is_favorite), (True, True, False))


@check("secrets.list")
async def _(sdk):
    label = sdk.name("listed")
    for index in range(3):
        await sdk.client.secrets.create(
            sdk.name(f"list-{index}"), "v", labels=[label], content_type="token" if index == 0 else "password"
        )
    first = await sdk.client.secrets.list(label=label, page_size=2)
    equal((len(first.secrets), first.total, first.page, first.page_size, first.has_more), (2, 3, 1, 2, True))
    second = await sdk.client.secrets.list(label=label, page=2, page_size=2)
    equal((len(second.secrets), second.has_more), (1, False))
    tokens = await sdk.client.secrets.list(label=label, content_type="token")
    equal([secret.name for secret in tokens.secrets], [sdk.name("list-0")])
    found = await sdk.client.secrets.list(search=sdk.name("list-2"))
    equal([secret.name for secret in found.secrets], [sdk.name("list-2")])


@check("secrets.get")
async def _(sdk):
    made = await sdk.client.secrets.create(sdk.name("get"), "v1", notes="a note")
    await sdk.client.secrets.update_value(made.id, "v2")
    equal((await sdk.client.secrets.get(made.id, include=["all"])).notes, "a note")
    equal((await sdk.client.secrets.get(made.id, version=1)).value, "v1")
    equal((await sdk.client.secrets.get(made.id)).value, "v2")
    await refused(sdk.client.secrets.get(uuid.uuid4()), NotFoundError)


@check("secrets.update")
async def _(sdk):
    made = await sdk.secret("update", "stays")
    given = {
        "name": sdk.name("updated"),
        "description": "new",
        "content_type": "config",
        "labels": ["one", "two"],
        "notes": "new notes",
        "username": "root",
        "urls": [{"url": "https://new.example"}],
        "custom_fields": [{"name": "team_name", "value": "core"}],
        "is_favorite": True,
    }
    changed = await sdk.client.secrets.update(made.id, **given)
    equal({field: getattr(changed, field) for field in given}, given)
    partial = await sdk.client.secrets.update(made.id, notes="only these")
    equal((partial.notes, partial.username), ("only these", "root"))
    equal((await sdk.client.secrets.get(made.id)).value, "stays")


@check("secrets.update_value")
async def _(sdk):
    made = await sdk.secret("value", "one")
    changed = await sdk.client.secrets.update_value(made.id, "two")
    equal((changed.id, changed.version), (made.id, 2))
    assert changed.updated_at is not None, "no date of the change"
    equal((await sdk.client.secrets.get(made.id)).value, "two")


@check("secrets.delete")
async def _(sdk):
    made = await sdk.secret("delete")
    await sdk.client.secrets.delete(made.id)
    await refused(sdk.client.secrets.get(made.id), NotFoundError)


@check("secrets.deactivate")
async def _(sdk):
    made = await sdk.secret("deactivate")
    await sdk.client.secrets.deactivate(made.id)
    await refused(sdk.client.secrets.get(made.id), QuantumAPIError)
    equal((await sdk.client.secrets.list(search=made.name)).total, 0)
    kept = await sdk.client.secrets.list(search=made.name, include_inactive=True)
    equal([secret.is_active for secret in kept.secrets], [False])


@check("secrets.activate")
async def _(sdk):
    made = await sdk.secret("activate", "back")
    await sdk.client.secrets.deactivate(made.id)
    await sdk.client.secrets.activate(made.id)
    equal((await sdk.client.secrets.get(made.id)).value, "back")


@check("secrets.restore")
async def _(sdk):
    made = await sdk.secret("restore", "again")
    await sdk.client.secrets.deactivate(made.id)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        await sdk.client.secrets.restore(made.id)
    equal((await sdk.client.secrets.get(made.id)).value, "again")


@check("secrets.list_versions")
async def _(sdk):
    made = await sdk.secret("history", "v1")
    for version in range(2, 8):
        await sdk.client.secrets.update_value(made.id, f"v{version}")
    history = await sdk.client.secrets.list_versions(made.id)
    equal([(entry.version, entry.value) for entry in history.versions], [(n, f"v{n}") for n in (7, 6, 5, 4, 3)])
    equal(history.secret_id, made.id)
    assert history.versions[0].changed_by.startswith("apikey:"), history.versions[0]
    equal(len((await sdk.client.secrets.list_versions(made.id, max_versions=20)).versions), 7)


@check("secrets.get_version")
async def _(sdk):
    made = await sdk.secret("at-version", "first")
    await sdk.client.secrets.update_value(made.id, "second")
    first = await sdk.client.secrets.get_version(made.id, 1)
    equal((first.version, first.value), (1, "first"))
    await refused(sdk.client.secrets.get_version(made.id, 9), NotFoundError)


@check("secrets.rollback")
async def _(sdk):
    made = await sdk.secret("rollback", "good")
    await sdk.client.secrets.update_value(made.id, "bad")
    equal((await sdk.client.secrets.rollback(made.id, 1)).version, 3)
    equal((await sdk.client.secrets.get(made.id)).value, "good")


@check("secrets.create_shared_link")
async def _(sdk):
    made = await sdk.secret("share")
    link = await sdk.client.secrets.create_shared_link(made.id, 2, max_access_count=3, password="open")
    equal((link.secret_id, link.max_access_count, link.has_password), (str(made.id), 3, True))
    assert len(link.token) >= 22, "the token can be guessed"
    assert link.url.endswith(f"/share/{link.token}"), link.url
    assert "quantumapi.eu" not in link.url, "the url sends the token to the vendor"


@check("secrets.share")
async def _(sdk):
    made = await sdk.secret("share-old", "shared")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        link = await sdk.client.secrets.share(made.id, max_views=1, ttl="7d")
    equal(link.max_access_count, 1)
    equal((await sdk.client.secrets.open_shared_link(link.token)).value, "shared")


@check("secrets.list_shared_links")
async def _(sdk):
    made = await sdk.secret("share-list")
    older = await sdk.client.secrets.create_shared_link(made.id)
    newer = await sdk.client.secrets.create_shared_link(made.id)
    await sdk.client.secrets.open_shared_link(older.token)
    listed = await sdk.client.secrets.list_shared_links(made.id)
    equal(listed.total_count, 2)
    equal([(link.id, link.access_count) for link in listed.links], [(newer.id, 0), (older.id, 1)])
    equal({(link.status, link.token) for link in listed.links}, {("Active", "")})


@check("secrets.revoke_shared_link")
async def _(sdk):
    made = await sdk.secret("share-revoke")
    link = await sdk.client.secrets.create_shared_link(made.id)
    equal(await sdk.client.secrets.revoke_shared_link(link.id), True)
    await refused(sdk.client.secrets.open_shared_link(link.token), NotFoundError, "link_not_found")
    equal((await sdk.client.secrets.list_shared_links(made.id)).links[0].status, "Revoked")


@check("secrets.open_shared_link")
async def _(sdk):
    made = await sdk.secret("share-open", "shared value")
    link = await sdk.client.secrets.create_shared_link(made.id, max_access_count=1, password="p w")
    open_link = sdk.client.secrets.open_shared_link
    await refused(open_link(link.token), ValidationError, "password_required")
    await refused(open_link(link.token, "no"), ValidationError, "invalid_password")
    opened = await open_link(link.token, "p w")
    equal((opened.value, opened.access_count), ("shared value", 1))
    await refused(open_link(link.token, "p w"), ValidationError, "link_exhausted")
    await refused(open_link("no-such-token"), NotFoundError, "link_not_found")


@check("secrets.share_url")
async def _(sdk):
    equal(sdk.client.secrets.share_url("a/b", "https://vault.example/"), "https://vault.example/share/a%2Fb")


@check("secrets.insights")
async def _(sdk):
    weak = await sdk.client.secrets.insights((await sdk.secret("weak", "password")).id)
    equal((weak.secret_name, weak.strength), (sdk.name("weak"), "weak"))
    assert weak.recommendations, "nothing to recommend"
    strong = await sdk.client.secrets.insights((await sdk.secret("strong", "pX9#vQ2!mR7$kL4@wZ8%tN3^cB6&yH1*")).id)
    equal(strong.strength, "strong")
    assert strong.risk_level in ("low", "medium", "high"), strong


@check("secrets.import_secrets")
async def _(sdk):
    items = [{"name": sdk.name(f"import-{n}"), "value": f"v{n}", "content_type": "token"} for n in range(3)]
    first = await sdk.client.secrets.import_secrets(items)
    equal((first.created, first.updated, first.failed), (3, 0, 0))
    items[0]["value"] = "changed"
    second = await sdk.client.secrets.import_secrets(items + [{"name": sdk.name("import-3"), "value": "v3"}])
    equal((second.created + second.updated, second.created, second.failed), (4, 1, 0))
    found = (await sdk.client.secrets.list(search=items[0]["name"])).secrets[0]
    equal(((await sdk.client.secrets.get(found.id)).value, found.content_type), ("changed", "token"))
