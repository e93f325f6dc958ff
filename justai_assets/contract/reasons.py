"""Reason codes: why a record was quarantined, and why a custom event has no message.

The text beside a code is all that is ever said about a record outside the landing zone; it never quotes the record.
"""

from __future__ import annotations

from typing import Final

REJECTIONS: Final = {
    # a line of a webhook landing file
    "not_json": "The line is not one JSON object in valid UTF-8.",
    "bad_envelope": "The envelope lacks id, received_at or body, or one of them has the wrong type.",
    "bad_body": "The body's fields do not have the documented JSON types.",
    # a request that the collector refused, its sender being known
    "empty": "The request had no body.",
    "invalid_utf8": "The request's body, or a text of the dropped row, is not UTF-8.",
    "lone_surrogate": "The request's body holds half of a surrogate pair.",
    "number_out_of_range": "The request's body holds a number of thousands of digits, or beyond any float.",
    "duplicate_key": "The request's body gives a key twice, so that readers would disagree.",
    "not_an_object": "The request's body is JSON, but not one object.",
    "too_deep": "The request's body is nested too deeply.",
    "too_complex": "The request's body holds too many arrays, objects or values.",
    "query_too_long": "The request's query string is too long.",
    "body_too_large": "The request's body is too large.",
    "content_type": "The request's content type is not JSON in UTF-8.",
    "content_encoding": "The request's body is compressed.",
    # an event
    "connection_test": "Not an event: the sender tried the connection (a Chameleon ping).",
    "missing_event_name": "The event carries no name.",
    "unmapped_workflow": "The workflowId is not in the org file's events map.",
    "missing_workflow": "The Journey webhook carries no workflowId.",
    "missing_tracking_id": "The send record of Generate names no message.",
    "missing_copy_id": "The send record of Generate names no copy.",
    "bad_timestamp": "The event time is absent or unreadable.",
    "outside_day": "The event time, in UTC, is not on the event_date of the folder it was written to.",
    "undated": "The event was filed without a usable event_date (default partition).",
    "before_start": "The event happened before the org's start_date; move that back to file it under its own day.",
    "personal_data_in_identifier": "A name, id or declared column holds an email, phone, address or user id.",
    "identifier_too_long": "A name, id or declared column that would be published is longer than 256 bytes.",
    "bad_number": "A declared number is not finite, is beyond a million million, or is text that is no number.",
    "negative_value": "The value of the event, what it was worth, is below 0.",
    # a dropped file
    "unreadable_file": "The object could not be read as what its name says.",
    "link_outside": "The object is a link to a file outside the org's folder; it was not read.",
    "missing_column": "A required column is absent from the file.",
    "wrong_type": "A required column has a type that cannot be read as the contract's.",
    "not_committed": "The writer's manifest or commit list does not name this file.",
    "missing_file": "The writer's manifest or commit list names a file that is not there.",
}

CONNECTION_TEST: Final = "connection_test"
"""Counted and quarantined as every record that is no event, but nobody's fault: no finding, no check is made of it."""

NO_IDENTITY: Final = "no_identity"
NO_SEND: Final = "no_send"
OUTSIDE_WINDOW: Final = "outside_window"

UNATTRIBUTED: Final = {
    NO_IDENTITY: "The custom event carries no email and no user id that names one person.",
    NO_SEND: "No send to this person precedes the event on its day or the three days before.",
    OUTSIDE_WINDOW: "The latest prior send is older than the event's window.",
}
