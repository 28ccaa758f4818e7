-- Asked again under the same key, a request gets the note that its first try made.
ALTER TABLE notes ADD COLUMN request_key text UNIQUE;
