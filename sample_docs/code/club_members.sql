-- Ruderverein Sankt Alban 1921 e.V., members and fees (SQLite)
-- C. Whitfield, treasurer, since the meeting of 17 January 2025
PRAGMA foreign_keys = ON;

CREATE TABLE member (
    id          INTEGER PRIMARY KEY,
    first_name  TEXT NOT NULL,
    last_name   TEXT NOT NULL,
    born        TEXT,                         -- ISO date
    joined      TEXT NOT NULL,
    left_on     TEXT,                         -- NULL = still with us
    category    TEXT NOT NULL CHECK (category IN ('adult','youth','family','passive','honorary')),
    swim_proof  INTEGER NOT NULL DEFAULT 0    -- nobody under 18 in a boat without it
);

CREATE TABLE fee_rate (
    category    TEXT NOT NULL,
    year        INTEGER NOT NULL,
    amount_cent INTEGER NOT NULL,
    PRIMARY KEY (category, year)
);

CREATE TABLE payment (
    id          INTEGER PRIMARY KEY,
    member_id   INTEGER NOT NULL REFERENCES member(id),
    year        INTEGER NOT NULL,
    paid_on     TEXT NOT NULL,
    amount_cent INTEGER NOT NULL CHECK (amount_cent <> 0),
    remark      TEXT
);

INSERT INTO fee_rate VALUES
    ('adult', 2024, 24000), ('youth', 2024, 12000), ('family', 2024, 39000), ('passive', 2024, 6000), ('honorary', 2024, 0),
    ('adult', 2025, 25200), ('youth', 2025, 12000), ('family', 2025, 41000), ('passive', 2025, 6000), ('honorary', 2025, 0);

-- Who has not paid (or not enough)? The list for the reminders before Easter.
CREATE VIEW overdue_dues AS
SELECT m.id, m.first_name || ' ' || m.last_name AS name, r.year,
       r.amount_cent - COALESCE(SUM(p.amount_cent), 0) AS missing_cent
FROM member m
JOIN fee_rate r ON r.category = m.category
LEFT JOIN payment p ON p.member_id = m.id AND p.year = r.year
WHERE (m.left_on IS NULL OR CAST(substr(m.left_on, 1, 4) AS INTEGER) >= r.year)
  AND CAST(substr(m.joined, 1, 4) AS INTEGER) <= r.year
GROUP BY m.id, r.year
HAVING missing_cent > 0;

-- Round birthdays for the chairman's speech
CREATE VIEW round_birthdays AS
SELECT first_name, last_name, born,
       CAST(strftime('%Y', 'now') AS INTEGER) - CAST(substr(born, 1, 4) AS INTEGER) AS turns
FROM member
WHERE left_on IS NULL AND born IS NOT NULL
  AND (CAST(strftime('%Y', 'now') AS INTEGER) - CAST(substr(born, 1, 4) AS INTEGER)) % 10 = 0;
