"""What the benchmark of backups fills its database with: tables, indexes and texts as the app's are.

Texts are drawn from a vocabulary as people use words, a few often and most seldom, and compress as texts do.
The first parts are drawn, the others repeat them: a repeat is so far behind that no compressor of either way
sees it.
"""

from __future__ import annotations

from typing import Final

DRAWN_PARTS: Final = 8
_ROWS: Final = 10_000

# Words of two to nine letters, and every fourth of two Chinese signs.
_VOCABULARY: Final = """
CREATE TABLE vocabulary AS
  SELECT n, CASE WHEN n % 4 = 0 THEN chr(19968 + n * 7 % 6000) || chr(19968 + n * 13 % 6000)
    ELSE substr(translate(md5(n::text), '0123456789', 'aeiourstln'), 1, 2 + n % 8) END AS word
  FROM generate_series(1, 2000) n
"""
_TURNS: Final = """
CREATE TABLE turns (id bigserial PRIMARY KEY, session_id uuid NOT NULL, question text NOT NULL,
  answer text NOT NULL, status text NOT NULL, prompt_tokens int, sources jsonb,
  created_at timestamptz NOT NULL)
"""
_CHUNKS: Final = """
CREATE TABLE chunks (id bigserial PRIMARY KEY, document_id uuid NOT NULL, position int NOT NULL,
  content text NOT NULL, words tsvector NOT NULL)
"""
TABLES: Final = (_VOCABULARY, _TURNS, _CHUNKS)
# Made when the tables are full, which is where a dump makes them.
LAST: Final = (
    "CREATE INDEX turns_of_session ON turns (session_id, id)",
    "CREATE UNIQUE INDEX chunks_of_document ON chunks (document_id, position)",
    "CREATE INDEX chunks_by_words ON chunks USING gin (words)",
    "VACUUM ANALYZE turns, chunks",
)

# So many words for each of the part's rows on average, each for a row by chance: texts are of many lengths.
# The first of the vocabulary are the common ones.
_WORDS: Final = """
(SELECT place, nth, word FROM (
  SELECT place, floor(random() * {rows})::int AS nth, 1 + floor(power(random(), 3) * 2000)::int AS n
  FROM generate_series(1, {rows} * {words}) place) drawn JOIN vocabulary USING (n)) words
"""
# One part: conversations of ten turns, and documents of fifty passages of some 500 letters.
_TALK: Final = """
INSERT INTO turns (session_id, question, answer, status, prompt_tokens, sources, created_at)
SELECT md5(({part} * 1000 + nth / 10)::text)::uuid,
  coalesce(string_agg(word, ' ') FILTER (WHERE place % 6 = 0), ''),
  coalesce(string_agg(word, ' ') FILTER (WHERE place % 6 > 0), ''), 'complete', 200 + nth % 1800,
  jsonb_build_array(jsonb_build_object('document', nth % 977, 'score', round(random()::numeric, 3))),
  now() - nth * interval '1 minute' FROM {drawn} GROUP BY nth
"""
_PASSAGES: Final = """
INSERT INTO chunks (document_id, position, content, words)
SELECT md5(({part} * 1000 + nth / 50)::text)::uuid, nth % 50, text, to_tsvector('simple', text)
FROM (SELECT nth, string_agg(word, ' ') AS text FROM {drawn} GROUP BY nth) made
"""
_TALK_AGAIN: Final = """
INSERT INTO turns (session_id, question, answer, status, prompt_tokens, sources, created_at)
SELECT md5(session_id::text || {part})::uuid, question, answer, status, prompt_tokens, sources, created_at
FROM turns WHERE id > {source} * {rows} AND id <= ({source} + 1) * {rows}
"""
_PASSAGES_AGAIN: Final = """
INSERT INTO chunks (document_id, position, content, words)
SELECT md5(document_id::text || {part})::uuid, position, content, words
FROM chunks WHERE id > {source} * {rows} AND id <= ({source} + 1) * {rows}
"""


def statements(part: int) -> tuple[str, str]:
    """Return what adds a part, numbered from 0, to both tables: some 25 MB."""
    if part >= DRAWN_PARTS:
        source = part % DRAWN_PARTS
        again = (_TALK_AGAIN, _PASSAGES_AGAIN)
        talk, passages = (text.format(part=part, source=source, rows=_ROWS) for text in again)
        return talk, passages
    talk = _TALK.format(part=part, drawn=_WORDS.format(rows=_ROWS, words=120))
    return talk, _PASSAGES.format(part=part, drawn=_WORDS.format(rows=_ROWS, words=90))


# One row of a hundred.
DAY: Final = "UPDATE turns SET created_at = now() WHERE id <= (SELECT max(id) / 100 FROM turns)"
CONTENTS: Final = """
SELECT (SELECT concat(count(*), ' ', sum(hashtextextended(t::text, 0)::numeric)) FROM turns t),
  (SELECT concat(count(*), ' ', sum(hashtextextended(c::text, 0)::numeric)) FROM chunks c)
"""
