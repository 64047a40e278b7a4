"""Examples of answers for the API's documentation. A test holds each against the type that it is an example of."""

from __future__ import annotations

from typing import Any

SQL = "SELECT region, count(*) AS people FROM people GROUP BY region ORDER BY people DESC"
QUESTION = "The number of people, by region of residence (Labour force and earnings survey, 2025)."
DIGEST = "sha256:7c25b5252b84a20f2ff2f3f81197e737cc27ff0c55a2fa6877ac73e4c120a410"
_REQUEST = "req_8f1c2b7a90d34e5f6a7b8c9d0e1f2a"
_RUN = "run_0a1b2c3d4e5f60718293a4b5c6d7e8"
_RELEASE = "rel_5d6e7f8091a2b3c4d5e6f708192a3b"

DATASETS = {
    "datasets": [
        {
            "dataset": "people",
            "title": "Labour force and earnings survey",
            "description": "People of working age with their work, pay and qualifications.",
            "publisher": "statistics_office",
            "custodian": "statistics_office",
            "population": "Residents aged 16 and over",
            "reference_period": "2025",
            "geography": "Local authorities of the United Kingdom",
            "licence": "Open Government Licence v3.0",
        }
    ]
}

CHECK = {
    "accepted": True,
    "explanation": {
        "question": QUESTION,
        "sql_as_asked": SQL,
        "source_sql": [
            "SELECT region, COUNT(*) AS n, SUM(rkey) % 100000000 AS key FROM people GROUP BY region"
        ],
        "presentation_sql": "SELECT k0 AS region, a0 AS people FROM cells_0 ORDER BY a0 DESC",
        "rules": [
            {
                "rule": "cell_keys",
                "effect": "counts get a little noise; the same people always get the same",
            }
        ],
    },
    "refusals": [],
    "warnings": [],
    "columns": ["region", "people"],
    "cells": 12,
    "plan_digest": DIGEST,
    "purpose": "permitted",
    "decided_by": {"people": "standing rule people_by_region"},
}

REQUEST = {
    "request": _REQUEST,
    "state": "approved",
    "usable": True,
    "reason": "",
    "valid_until": "2035-04-01T00:00:00Z",
    "requester": "priya",
    "body": "greater_manchester",
    "delegation": None,
    "hub": None,
    "agreement": "local_labour_market",
    "purpose": "Local skills and employment planning",
    "purpose_answer": "permitted",
    "justification": "To decide in March which construction courses to fund.",
    "sql": SQL,
    "question": QUESTION,
    "plan_digest": DIGEST,
    "datasets": {"people": "statistics_office"},
    "parameters": {},
    "jointly_with": [],
    "version": 1,
    "supersedes": None,
    "waiting_for": [],
    "lapses_at": None,
    "runs_left": None,
    "decisions": [
        {
            "dataset": "people",
            "custodian": "statistics_office",
            "outcome": "approve",
            "kind": "standing_rule",
            "role": "standing_rule",
            "decided_by": "people_by_region",
            "delegation": None,
            "reason": "Counts of people by region",
            "code": None,
            "conditions": None,
            "maximum_runs": None,
            "version": 1,
            "decided_at": "2026-01-05T09:00:00Z",
            "valid_until": "2035-04-01T00:00:00Z",
        }
    ],
    "node_conditions": [],
    "created_at": "2026-01-05T09:00:00Z",
}

RUN = {
    "run": _RUN,
    "request": _REQUEST,
    "state": "done",
    "progress": 100,
    "error": None,
    "message": "released",
    "release": _RELEASE,
    "created_at": "2026-01-05T09:00:01Z",
    "ended_at": "2026-01-05T09:00:02Z",
}

ABOUT = {
    "release": _RELEASE,
    "request": _REQUEST,
    "question": QUESTION,
    "source": "Statistics office: Labour force and earnings survey, 2025. Released by node_a on 2026-01-05.",
    "notes": ["rows left out by HAVING (3 rows)"],
    "table_digest": DIGEST,
}


def example(status: int, value: object) -> dict[int | str, dict[str, Any]]:
    """What a route says of an answer: an example of its JSON body."""
    return {status: {"content": {"application/json": {"example": value}}}}
