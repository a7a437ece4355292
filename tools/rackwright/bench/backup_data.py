"""What the benchmark of backups fills its database with: tables, indexes and texts as the app's are.

Texts are drawn from a vocabulary as people use words, a few often and most seldom, and compress as texts do.
"""

from __future__ import annotations

from typing import Final

# Words of two to nine letters, and every fourth of two Chinese signs.
_VOCABULARY: Final = """
CREATE TABLE vocabulary AS SELECT array_agg(word ORDER BY n) AS words FROM (
  SELECT n, CASE WHEN n % 4 = 0 THEN chr(19968 + n * 7 % 6000) || chr(19968 + n * 13 % 6000)
    ELSE substr(translate(md5(n::text), '0123456789', 'aeiourstln'), 1, 2 + n % 8) END AS word
  FROM generate_series(1, 2000) n) drawn
"""
# A text of so many words; the first of the vocabulary are the common ones.
_DRAWN: Final = """
CREATE FUNCTION drawn(length int) RETURNS text LANGUAGE sql VOLATILE AS $$
  SELECT string_agg(words[1 + floor(power(random(), 3) * 2000)::int], ' ')
  FROM vocabulary, generate_series(1, length) $$
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
TABLES: Final = (_VOCABULARY, _DRAWN, _TURNS, _CHUNKS)
# Made when the tables are full, which is where a dump makes them.
LAST: Final = (
    "CREATE INDEX turns_of_session ON turns (session_id, id)",
    "CREATE UNIQUE INDEX chunks_of_document ON chunks (document_id, position)",
    "CREATE INDEX chunks_by_words ON chunks USING gin (words)",
    "VACUUM ANALYZE turns, chunks",
)

# One part: conversations of ten turns, and documents of fifty passages of some 500 letters.
_TALK: Final = """
INSERT INTO turns (session_id, question, answer, status, prompt_tokens, sources, created_at)
SELECT md5(({part} * 1000 + n / 10)::text)::uuid, drawn(12 + n % 20), drawn(40 + n % 120), 'complete',
  200 + n % 1800,
  jsonb_build_array(jsonb_build_object('document', n % 977, 'score', round(random()::numeric, 3))),
  now() - n * interval '1 minute' FROM generate_series(1, 10000) n
"""
_PASSAGES: Final = """
INSERT INTO chunks (document_id, position, content, words)
SELECT md5(({part} * 1000 + n / 50)::text)::uuid, n % 50, text, to_tsvector('simple', text)
FROM (SELECT n, drawn(70 + n % 40) AS text FROM generate_series(1, 10000) n) made
"""
PART: Final = (_TALK, _PASSAGES)

# One row of a hundred.
DAY: Final = "UPDATE turns SET created_at = now() WHERE id <= (SELECT max(id) / 100 FROM turns)"
CONTENTS: Final = """
SELECT (SELECT concat(count(*), ' ', sum(hashtextextended(t::text, 0)::numeric)) FROM turns t),
  (SELECT concat(count(*), ' ', sum(hashtextextended(c::text, 0)::numeric)) FROM chunks c)
"""
