"""Applications, end users and roles."""

import json
import uuid

from quantumapi.errors import ConflictError, NotFoundError, ValidationError
from quantumapi.models.applications import ApplicationEnvironment, ApplicationType

from .session import check, equal, refused

CALLBACK = "https://app.example/callback"


async def application(sdk, label, kind=ApplicationType.WEB_APP):
    made = await sdk.client.applications.create(sdk.name(label), kind, [CALLBACK])
    return made.application


async def person(sdk, label, **more):
    app = await application(sdk, label)
    user = await sdk.client.end_users.create(app.id, f"{sdk.name(label)}@example.com", "Ada", **more)
    return app, user


async def role(sdk, label, app=None, **more):
    return await sdk.client.roles.create(sdk.name(label), application_id=None if app is None else app.id, **more)


@check("applications.create")
async def _(sdk):
    made = await sdk.client.applications.create(
        sdk.name("app"), ApplicationType.WEB_APP, [CALLBACK], description="words",
        environment=ApplicationEnvironment.STAGING, post_logout_redirect_uris=["https://app.example/"],
        allowed_scopes=["openid", "orders"],
    )
    assert made.client_secret.startswith("qcs_"), "no secret"
    app = made.application
    equal((app.display_name, app.application_type, app.environment), (sdk.name("app"), "WebApp", "Staging"))
    equal((app.is_active, app.is_confidential, app.description), (True, True, "words"))
    equal((app.redirect_uris, app.allowed_scopes), ([CALLBACK], ["openid", "orders"]))
    equal((app.post_logout_redirect_uris, app.resources), (["https://app.example/"], []))
    public = await sdk.client.applications.create(sdk.name("spa"), ApplicationType.SPA)
    equal((public.client_secret, public.application.is_confidential), (None, False))
    await refused(
        sdk.client.applications.create(sdk.name("bad"), ApplicationType.SPA, ["https://app.example/#top"]), ValidationError
    )


@check("applications.list")
async def _(sdk):
    app = await application(sdk, "list")
    assert app.id in [row.id for row in await sdk.client.applications.list()]


@check("applications.get")
async def _(sdk):
    app = await application(sdk, "get")
    equal(await sdk.client.applications.get(app.id), app)
    await refused(sdk.client.applications.get(uuid.uuid4()), NotFoundError)


@check("applications.update")
async def _(sdk):
    app = await application(sdk, "update")
    changed = await sdk.client.applications.update(
        app.id, sdk.name("updated"), ApplicationEnvironment.PRODUCTION, ["https://b.example/cb"], description="more"
    )
    equal((changed.display_name, changed.environment), (sdk.name("updated"), "Production"))
    equal((changed.redirect_uris, changed.allowed_scopes), (["https://b.example/cb"], app.allowed_scopes))


@check("applications.delete")
async def _(sdk):
    app = await application(sdk, "delete")
    await sdk.client.applications.delete(app.id)
    await refused(sdk.client.applications.get(app.id), NotFoundError)


@check("applications.rotate_secret")
async def _(sdk):
    app = await application(sdk, "rotate", ApplicationType.MACHINE_TO_MACHINE)
    first = await sdk.client.applications.rotate_secret(app.id)
    second = await sdk.client.applications.rotate_secret(app.id)
    equal(first.client_id, app.client_id)
    assert first.client_secret != second.client_secret
    public = await application(sdk, "rotate-spa", ApplicationType.SPA)
    await refused(sdk.client.applications.rotate_secret(public.id), ConflictError)


@check("end_users.create")
async def _(sdk):
    app = await application(sdk, "user")
    editor = await role(sdk, "editor", app)
    user = await sdk.client.end_users.create(
        app.id, "Ada@Example.com", "Ada", first_name="Ada", last_name="Lovelace", phone_number="+44 20",
        password="correct horse battery", email_verified=True, metadata=json.dumps({"plan": "gold"}), role_ids=[editor.id],
    )
    equal((user.email, user.display_name, user.email_verified), ("Ada@Example.com", "Ada", True))
    equal((user.first_name, user.last_name, user.phone_number), ("Ada", "Lovelace", "+44 20"))
    equal((json.loads(user.metadata), user.application_id), ({"plan": "gold"}, app.id))
    equal((user.is_blocked, user.login_count, [given.role_name for given in user.roles]), (False, 0, [editor.name]))
    await refused(sdk.client.end_users.create(app.id, "ada@example.com", "Another"), ConflictError)
    await refused(sdk.client.end_users.create(app.id, "nobody", "Nobody"), ValidationError)


@check("end_users.list")
async def _(sdk):
    app, user = await person(sdk, "listed")
    other = await sdk.client.end_users.create(app.id, "grace@example.com", "Grace Hopper", email_verified=True)
    await sdk.client.end_users.block(app.id, other.id)

    async def ids(**filters):
        listed = await sdk.client.end_users.list(app.id, **filters)
        equal(len(listed.items), listed.total_count)
        return [row.id for row in listed.items]

    equal(await ids(), [other.id, user.id])
    equal(await ids(search="HOPPER"), [other.id])
    equal(await ids(blocked=True), [other.id])
    equal(await ids(blocked=False), [user.id])
    equal(await ids(email_verified=False), [user.id])
    editor = await role(sdk, "listed-editor", app)
    await sdk.client.end_users.assign_role(app.id, user.id, editor.id)
    equal(await ids(role_id=editor.id), [user.id])
    page = await sdk.client.end_users.list(app.id, page=2, page_size=1)
    equal(([row.id for row in page.items], page.total_count, page.page, page.page_size), ([user.id], 2, 2, 1))


@check("end_users.get")
async def _(sdk):
    app, user = await person(sdk, "got")
    got = await sdk.client.end_users.get(app.id, user.id)
    equal((got.id, got.email, got.roles, got.connections), (user.id, user.email, [], []))
    elsewhere = await application(sdk, "elsewhere")
    await refused(sdk.client.end_users.get(elsewhere.id, user.id), NotFoundError)


@check("end_users.update")
async def _(sdk):
    app, user = await person(sdk, "changed", first_name="Ada")
    changed = await sdk.client.end_users.update(app.id, user.id, display_name="Lady L", metadata="[1]")
    equal((changed.display_name, changed.metadata, changed.first_name), ("Lady L", "[1]", "Ada"))
    await refused(sdk.client.end_users.update(app.id, user.id, metadata="{"), ValidationError)


@check("end_users.block")
async def _(sdk):
    app, user = await person(sdk, "blocked")
    await sdk.client.end_users.block(app.id, user.id, "spam")
    got = await sdk.client.end_users.get(app.id, user.id)
    equal((got.is_blocked, got.blocked_reason), (True, "spam"))
    assert got.blocked_at is not None
    await sdk.client.end_users.block(app.id, user.id)


@check("end_users.unblock")
async def _(sdk):
    app, user = await person(sdk, "unblocked")
    await sdk.client.end_users.block(app.id, user.id, "spam")
    await sdk.client.end_users.unblock(app.id, user.id)
    got = await sdk.client.end_users.get(app.id, user.id)
    equal((got.is_blocked, got.blocked_reason, got.blocked_at), (False, None, None))


@check("end_users.unlock")
async def _(sdk):
    app, user = await person(sdk, "unlocked")
    await sdk.client.end_users.unlock(app.id, user.id)
    equal((await sdk.client.end_users.get(app.id, user.id)).is_locked_out, False)


@check("end_users.generate_temporary_password")
async def _(sdk):
    app, user = await person(sdk, "temporary")
    first = await sdk.client.end_users.generate_temporary_password(app.id, user.id)
    second = await sdk.client.end_users.generate_temporary_password(app.id, user.id)
    equal(first.email, user.email)
    assert len(first.temporary_password) >= 16 and first.temporary_password != second.temporary_password


@check("end_users.delete")
async def _(sdk):
    app, user = await person(sdk, "deleted")
    await sdk.client.end_users.delete(app.id, user.id)
    equal((await sdk.client.end_users.list(app.id)).total_count, 0)
    again = await sdk.client.end_users.create(app.id, user.email, "Another")
    assert again.id != user.id


@check("end_users.list_roles")
async def _(sdk):
    app, user = await person(sdk, "roles")
    equal(await sdk.client.end_users.list_roles(app.id, user.id), [])
    editor = await role(sdk, "roles-editor", app)
    given = await sdk.client.end_users.assign_role(app.id, user.id, editor.id)
    equal(await sdk.client.end_users.list_roles(app.id, user.id), [given])


@check("end_users.assign_role")
async def _(sdk):
    app, user = await person(sdk, "assigned")
    everywhere = await role(sdk, "assigned-everywhere")
    given = await sdk.client.end_users.assign_role(app.id, user.id, everywhere.id)
    equal((given.role_id, given.role_name), (everywhere.id, everywhere.name))
    await refused(sdk.client.end_users.assign_role(app.id, user.id, everywhere.id), ConflictError)
    elsewhere = await role(sdk, "assigned-elsewhere", await application(sdk, "assigned-other"))
    await refused(sdk.client.end_users.assign_role(app.id, user.id, elsewhere.id), NotFoundError)


@check("end_users.remove_role")
async def _(sdk):
    app, user = await person(sdk, "removed")
    editor = await role(sdk, "removed-editor", app)
    await sdk.client.end_users.assign_role(app.id, user.id, editor.id)
    await sdk.client.end_users.remove_role(app.id, user.id, editor.id)
    equal(await sdk.client.end_users.list_roles(app.id, user.id), [])
    await refused(sdk.client.end_users.remove_role(app.id, user.id, editor.id), NotFoundError)


@check("roles.list")
async def _(sdk):
    app = await application(sdk, "role-list")
    own, everywhere = await role(sdk, "role-own", app), await role(sdk, "role-everywhere")
    elsewhere = await role(sdk, "role-elsewhere", await application(sdk, "role-other"))
    listed = [row.id for row in await sdk.client.roles.list(app.id)]
    assert own.id in listed and everywhere.id in listed and elsewhere.id not in listed, listed
    assert elsewhere.id in [row.id for row in await sdk.client.roles.list()]


@check("roles.get")
async def _(sdk):
    app, user = await person(sdk, "role-got")
    made = await role(sdk, "role-got", app)
    await sdk.client.end_users.assign_role(app.id, user.id, made.id)
    got = await sdk.client.roles.get(made.id)
    equal((got.id, got.application_id, got.application_name, got.end_user_count), (made.id, app.id, app.display_name, 1))


@check("roles.create")
async def _(sdk):
    app = await application(sdk, "role-made")
    made = await role(sdk, "role-made", app, description="words", permissions='["posts:read"]', is_default=True)
    equal((made.description, made.permissions, made.is_default), ("words", '["posts:read"]', True))
    user = await sdk.client.end_users.create(app.id, "new@example.com", "New")
    equal([given.role_id for given in user.roles], [made.id])
    await refused(role(sdk, "role-made", app), ConflictError)
    await refused(role(sdk, "role-bad", app, permissions="posts"), ValidationError)


@check("roles.update")
async def _(sdk):
    made = await role(sdk, "role-changed", description="words")
    changed = await sdk.client.roles.update(made.id, name=sdk.name("role-renamed"), permissions="[]", is_default=False)
    equal((changed.name, changed.description, changed.permissions), (sdk.name("role-renamed"), "words", "[]"))


@check("roles.delete")
async def _(sdk):
    app, user = await person(sdk, "role-deleted")
    made = await role(sdk, "role-deleted", app)
    await sdk.client.end_users.assign_role(app.id, user.id, made.id)
    await refused(sdk.client.roles.delete(made.id), ConflictError)
    await sdk.client.end_users.remove_role(app.id, user.id, made.id)
    await sdk.client.roles.delete(made.id)
    await refused(sdk.client.roles.get(made.id), NotFoundError)


@check("roles.find_by_name")
async def _(sdk):
    app = await application(sdk, "role-found")
    made = await role(sdk, "role-found", app)
    equal((await sdk.client.roles.find_by_name(app.id, made.name.upper())).id, made.id)
    equal(await sdk.client.roles.find_by_name(app.id, "nobody"), None)
