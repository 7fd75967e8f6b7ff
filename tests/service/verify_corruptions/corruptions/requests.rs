//! Invariant 10, corrupted.

use super::Corruption;

pub const CORRUPTIONS: &[Corruption] = &[
    Corruption {
        invariant: 10,
        check: "a stored answer can be read and has a fingerprint",
        each: &[
            "UPDATE stored_response SET outcome = 'broken' WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET outcome = '{\"event\":x}'
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET outcome = '{\"event\":}'
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET outcome = '{\"event\":12'
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET outcome = '{\"event\":12345678901234567890}'
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET fingerprint = 'z' || substr(fingerprint, 2)
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET fingerprint = substr(fingerprint, 2)
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
        ],
    },
    Corruption {
        invariant: 10,
        check: "a stored answer's event is there, by the same caller at the same time",
        each: &[
            "UPDATE stored_response SET outcome = '{\"event\":999999}'
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET principal = 'mallory' WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET create_time = create_time + 1
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
        ],
    },
    Corruption {
        invariant: 10,
        check: "a stored answer names the order that its event happened to",
        each: &[
            "UPDATE stored_response SET outcome = replace(outcome, [PO-000001], [PO-000002])
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET outcome = replace(outcome, 'order', 'ordre')
               WHERE request_id = '00000000-0000-4000-8000-000000000003'",
            "UPDATE stored_response SET outcome = replace(outcome, '}', ',\"order\":\"x\"}')
               WHERE request_id = '00000000-0000-4000-8000-000000000001'",
        ],
    },
    Corruption {
        invariant: 10,
        check: "no two request ids have the same effect",
        each: &["INSERT INTO stored_response SELECT store_id, principal, 'again', fingerprint, create_time, outcome
               FROM stored_response WHERE request_id = '00000000-0000-4000-8000-000000000003'"],
    },
];
