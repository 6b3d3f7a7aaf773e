"""Organisations, members, tokens, and who has changed what."""

from __future__ import annotations

from http import HTTPStatus
from typing import Any

from starlette.responses import Response

from pitchey_cli.api import models
from pitchey_cli.api.answers import empty_answer, json_answer, page, place_of
from pitchey_cli.api.call import Call
from pitchey_cli.domain.access import ALL_ORGANISATIONS
from pitchey_cli.domain.errors import Denied, InputNotFound
from pitchey_cli.operations import access
from pitchey_cli.reports import access as report
from pitchey_cli.store.port import Store

_OF_ALL = "`pitchey token add NAME --all-organisations`, at the server, makes one."


async def whoami(call: Call) -> Response:
    """Say who asks, and what they may do."""
    actor = call.actor
    said = {"name": actor.name, "organisation": actor.organisation or None, "role": actor.role}
    return json_answer({**said, "scopes": sorted(actor.areas)})


# --- organisations


async def list_organisations(call: Call) -> Response:
    """List the organisations that are known, and their quotas; to a token of one organisation that one."""
    found = await call.read(lambda store: store.organisations())
    return json_answer({"organisations": [report.organisation(each) for each in found]})


async def add_organisation(call: Call, asked: models.AddOrganisation) -> Response:
    """Make an organisation known, so that it can have members, tokens and a quota."""
    is_new = await call.write(lambda store: access.add_organisation(store, asked.name, now=call.now))
    found = await call.read(lambda store: store.organisation(asked.name))
    return json_answer(report.organisation(found), HTTPStatus.CREATED if is_new else HTTPStatus.OK)


async def set_quota(call: Call, asked: models.SetQuota) -> Response:
    """Bound what an organisation may have: jobs that wait, jobs that run, bytes of files. null is any number."""
    name = call.part("organisation")
    bounds = {key: -1 if getattr(asked, key) is None else getattr(asked, key) for key in asked.model_fields_set}
    await call.write(lambda store: access.set_quota(store, name, **bounds))
    return json_answer(report.organisation(await call.read(lambda store: store.organisation(name))))


async def remove_organisation(call: Call) -> Response:
    """Forget an organisation: its members and its quota go, its tokens end. Its jobs stay."""
    name = call.part("organisation")
    await call.write(lambda store: access.remove_organisation(store, name, now=call.now))
    return empty_answer()


# --- members


def _meant(call: Call, said: str | None) -> str:
    return said if said is not None else call.organisation


async def list_members(call: Call, asked: models.OfOrganisation) -> Response:
    """List the members of an organisation, and their roles."""
    organisation = _meant(call, asked.organisation)
    found = await call.read(lambda store: store.members(store.organisation(organisation).name))
    return json_answer({"members": [report.member(each) for each in found]})


async def grant_role(call: Call, asked: models.GrantRole) -> Response:
    """Give a member a role, in place of the one before."""
    organisation, name = _meant(call, asked.organisation), call.part("member")
    await call.write(lambda store: access.grant(store, organisation, name, asked.role, now=call.now))
    found = await call.read(lambda store: store.member(organisation, name))
    if found is None:
        raise InputNotFound(
            f"{organisation} has no member {name!r}.", hint="Somebody has taken the role back: try again."
        )
    return json_answer(report.member(found))


async def revoke_role(call: Call, asked: models.OfOrganisation) -> Response:
    """Forget a member: their tokens may do nothing any more."""
    organisation, name = _meant(call, asked.organisation), call.part("member")
    await call.write(lambda store: access.revoke_role(store, organisation, name))
    return empty_answer()


# --- tokens


async def list_tokens(call: Call) -> Response:
    """List the tokens, the oldest first, without their secrets."""
    found = await call.read(lambda store: store.tokens())
    return json_answer({"tokens": [report.token(each) for each in found]})


async def add_token(call: Call, asked: models.AddToken) -> Response:
    """Make a token. What it is, is in this answer and nowhere else: only its hash is kept."""
    organisation = _meant(call, asked.organisation)
    if asked.all_organisations:
        if not call.actor.is_of_all:
            raise Denied("Only a token of all organisations can make another one.", hint=_OF_ALL)
        organisation = ALL_ORGANISATIONS

    def make(store: Store) -> dict[str, Any]:
        made, text = access.add_token(
            store,
            call.actor,
            asked.name,
            organisation=organisation,
            role=asked.role,
            areas=frozenset(asked.scopes),
            member=asked.member or "",
            lasts=asked.expires or "",
            now=call.now,
        )
        return {**report.token(made), "token": text}

    return json_answer(await call.write(make), HTTPStatus.CREATED)


async def revoke_token(call: Call) -> Response:
    """End a token for good, from the next request on."""
    text = call.part("token")
    await call.write(lambda store: access.revoke_token(store, text, now=call.now))
    return empty_answer()


# --- audit


async def list_audit(call: Call, asked: models.Page) -> Response:
    """List what people and programs have changed, the newest first."""
    before = place_of(asked.cursor)
    found = await call.read(lambda store: store.audit_log(before_id=before, limit=asked.limit))
    last = found[-1].id if found else None
    said = [report.audit_entry(each) for each in found]
    return page(call, "entries", said, limit=asked.limit, next_after=last)
