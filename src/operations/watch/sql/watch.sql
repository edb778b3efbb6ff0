-- What was seen of the living lately. All of it can be deleted: what is older is in the ledger, and what is newer is seen again.
PRAGMA journal_mode = WAL;
PRAGMA synchronous = OFF;
PRAGMA busy_timeout = 2000;
CREATE TABLE IF NOT EXISTS recent (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  -- JSON: samples as they are thinned out, error rates, and the state of a service.
  seen TEXT NOT NULL,
  PRIMARY KEY (kind, name)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS hours (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Hours since 1970.
  hour INTEGER NOT NULL,
  samples INTEGER NOT NULL,
  failures INTEGER NOT NULL,
  -- JSON: see QuantileDigest.
  digest TEXT NOT NULL,
  PRIMARY KEY (kind, name, hour)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS summarised (
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  -- Days since 1970.
  day INTEGER NOT NULL,
  PRIMARY KEY (kind, name, day)
) WITHOUT ROWID;
