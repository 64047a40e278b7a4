"""A release as a Five Safes RO-Crate: the table, its signed statement, and who let it be released, in one archive.

After RO-Crate 1.1 (https://w3id.org/ro/crate/1.1) and its profiles Five Safes RO-Crate 0.4
(https://w3id.org/5s-crate/0.4) and Process Run Crate 0.5 (https://w3id.org/ro/wfrun/process/0.5): the request is a
project's, the run a CreateAction, each approval a sign-off and the disclosure rules a disclosure check. What is
signed is the statement in it; the crate says the same for programs that know crates.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote

from federation.release.statement import Authority, DecisionRef, DelegationRef, Organisation, Statement

Entity = dict[str, Any]

METADATA = "ro-crate-metadata.json"
CONTEXT = ["https://w3id.org/ro/crate/1.1/context", {"shp": "https://w3id.org/shp#"}]
SPECIFICATION = "https://w3id.org/ro/crate/1.1"
PROFILE = "https://w3id.org/5s-crate/0.4"
RUN_PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LICENCE = "#terms"
_MADE = (1980, 1, 1, 0, 0, 0)
"""The time of every file in the archive: the same release is the same bytes."""


def to_crate(statement: Statement, files: Mapping[str, tuple[str, str]]) -> Entity:
    """The crate's metadata document.

    Args:
        files: for each file of the crate its media type and what it is.
    """
    authority = statement.authority
    entities: tuple[Entity, ...] = (
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "about": {"@id": "./"},
            "conformsTo": {"@id": SPECIFICATION},
        },
        _root(statement, files),
        {"@id": PROFILE, "@type": "CreativeWork", "name": "Five Safes RO-Crate profile", "version": "0.4"},
        {"@id": RUN_PROFILE, "@type": "CreativeWork", "name": "Process Run Crate", "version": "0.5"},
        {
            "@id": LICENCE,
            "@type": "CreativeWork",
            "name": authority.agreement.legal_gateway,
            "description": f"The terms of the agreement {authority.agreement.title} {authority.agreement.version}",
        },
        *(
            {"@id": name, "@type": "File", "encodingFormat": media, "name": what}
            for name, (media, what) in files.items()
        ),
        _project(statement),
        *(_organisation(body) for body in statement.bodies.values()),
        {
            "@id": _person(authority.requester),
            "@type": "Person",
            "name": authority.requester,
            "affiliation": _ref("body", authority.recipient.id),
            **_member(authority.delegation),
        },
        *_query(statement),
        _run(statement, files),
        *(entity for decision in authority.decisions for entity in _sign_off(decision, statement)),
        *(_delegation(each) for each in _delegations(authority)),
        _disclosure_check(statement),
    )
    # One entity for each id (RO-Crate 1.1, 3): who decided on several datasets by one delegation has it once.
    return {"@context": CONTEXT, "@graph": list({e["@id"]: _compacted(e) for e in entities}.values())}


def _compacted(entity: Entity) -> Entity:
    """Compacted as JSON-LD (RO-Crate 1.1, 2.2): the only value of a property stands alone, no value is left out."""
    single = {
        name: value[0] if isinstance(value, list) and len(value) == 1 else value
        for name, value in entity.items()
    }
    return {name: value for name, value in single.items() if value != []}


def archive(metadata: Entity, contents: Mapping[str, bytes]) -> bytes:
    """The crate as a ZIP archive: the same for the same content."""
    buffer = io.BytesIO()
    document = json.dumps(metadata, indent=2, ensure_ascii=False).encode()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as crate:
        for name, content in {METADATA: document, **contents}.items():
            crate.writestr(zipfile.ZipInfo(name, _MADE), content, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


def _root(statement: Statement, files: Mapping[str, object]) -> Entity:
    decisions = statement.authority.decisions
    return {
        "@id": "./",
        "@type": "Dataset",
        "identifier": statement.release,
        "name": statement.context.question,
        "description": "; ".join(
            f"{about.title}, {about.reference_period}: {about.population}" for about in statement.about_whom
        ),
        "conformsTo": [{"@id": PROFILE}, {"@id": RUN_PROFILE}],
        "datePublished": statement.when.released_at.isoformat(),
        "license": {"@id": LICENCE},
        "author": [_ref("body", body.id) for body in statement.who.custodians],
        "publisher": [_ref("body", body.id) for body in statement.who.publishers],
        "sourceOrganization": {"@id": "#project"},
        "mainEntity": {"@id": _query_id(statement)},
        "hasPart": [{"@id": name} for name in files],
        "mentions": [
            {"@id": f"#run-{statement.run}"},
            *({"@id": _sign_off_id(decision)} for decision in decisions),
            {"@id": "#disclosure-check"},
        ],
    }


def _project(statement: Statement) -> Entity:
    agreement = statement.authority.agreement
    return {
        "@id": "#project",
        "@type": "Project",
        "identifier": agreement.id,
        "name": agreement.title,
        "description": statement.context.purpose,
        "member": [
            _ref("body", statement.authority.recipient.id),
            {"@id": _person(statement.authority.requester)},
        ],
    }


def _query(statement: Statement) -> tuple[Entity, ...]:
    parameters = [
        {"@id": f"#parameter-{quote(name)}", "@type": "PropertyValue", "name": name, "value": str(value)}
        for name, value in statement.context.parameters.items()
    ]
    query = {
        "@id": _query_id(statement),
        "@type": "SoftwareSourceCode",
        "name": statement.context.question,
        "programmingLanguage": "SQL",
        "text": statement.context.sql,
        "identifier": statement.authority.plan_digest,
    }
    return query, *parameters


def _run(statement: Statement, files: Mapping[str, object]) -> Entity:
    return {
        "@id": f"#run-{statement.run}",
        "@type": "CreateAction",
        "name": statement.context.question,
        "description": f"Run at {statement.who.node} for: {statement.context.purpose}",
        "instrument": {"@id": _query_id(statement)},
        "agent": {"@id": _person(statement.authority.requester)},
        "object": [{"@id": f"#parameter-{quote(name)}"} for name in statement.context.parameters],
        "result": [{"@id": name} for name in files],
        "startTime": statement.when.run_at.isoformat(),
        "endTime": statement.when.released_at.isoformat(),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _sign_off(decision: DecisionRef, statement: Statement) -> tuple[Entity, Entity]:
    agreement = statement.authority.agreement
    decider = (
        f"#decider-{quote(decision.kind)}-{quote(decision.decided_by, safe='')}-{quote(decision.dataset)}"
    )
    kinds = {"person": "Person", "holder": "SoftwareApplication"}
    capacity = "" if decision.role is None else f", as {decision.role}"
    return {
        "@id": _sign_off_id(decision),
        "@type": "AssessAction",
        "additionalType": {"@id": "shp:SignOff"},
        "name": f"Approval of the use of {decision.dataset} under {agreement.title} {agreement.version}{capacity}",
        "agent": {"@id": decider},
        "object": [{"@id": "./"}, {"@id": _query_id(statement)}],
        "endTime": decision.decided_at.isoformat(),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }, {
        "@id": decider,
        "@type": kinds.get(decision.kind, "CreativeWork"),
        "name": decision.decided_by,
        "affiliation" if decision.kind == "person" else "provider": _ref("body", decision.custodian),
        **_member(decision.delegation),
    }


def _member(delegation: DelegationRef | None) -> Entity:
    """What lets a person act for a body, beside the affiliation that it is for them then."""
    return {} if delegation is None else {"memberOf": {"@id": _delegation_id(delegation)}}


def _delegations(authority: Authority) -> Iterator[DelegationRef]:
    for given in (authority.delegation, *(decision.delegation for decision in authority.decisions)):
        if given is not None:
            yield given


def _delegation(delegation: DelegationRef) -> Entity:
    """A role between a person and a body, with its instrument and its end (schema.org, Role)."""
    return {
        "@id": _delegation_id(delegation),
        "@type": "OrganizationRole",
        "identifier": delegation.delegation,
        "name": delegation.instrument,
        "roleName": "acts by delegation",
        "memberOf": _ref("body", delegation.body),
        "endDate": delegation.until.isoformat(),
    }


def _disclosure_check(statement: Statement) -> Entity:
    return {
        "@id": "#disclosure-check",
        "@type": "AssessAction",
        "additionalType": {"@id": "shp:DisclosureCheck"},
        "name": "Disclosure rules applied by the node before release",
        "description": "; ".join(f"{method.rule}: {method.effect}" for method in statement.context.methods),
        "agent": [_ref("body", body.id) for body in statement.who.custodians],
        "object": {"@id": "./"},
        "endTime": statement.when.released_at.isoformat(),
        "actionStatus": "http://schema.org/CompletedActionStatus",
    }


def _organisation(body: Organisation) -> Entity:
    return {**_ref("body", body.id), "@type": "Organization", "name": body.title}


def _ref(kind: str, name: str) -> Entity:
    return {"@id": f"#{kind}-{quote(name, safe='')}"}


def _person(subject: str) -> str:
    return f"#person-{quote(subject, safe='')}"


def _query_id(statement: Statement) -> str:
    return f"#query-{quote(statement.authority.plan_digest, safe='')}"


def _sign_off_id(decision: DecisionRef) -> str:
    return f"#sign-off-{quote(decision.dataset)}-{quote(decision.custodian)}-{quote(decision.decided_by, safe='')}"


def _delegation_id(delegation: DelegationRef) -> str:
    return f"#delegation-{quote(delegation.delegation, safe='')}-{quote(delegation.body, safe='')}"
