-- What INDIGO IAM keeps, table by table, as far as tokens are concerned. One text for both databases: LASTING_ID, ROW_ID,
-- TABLE_OPTIONS and CHILD_OPTIONS (of collections) are replaced by the store. Times are seconds since 1970.
-- A LASTING_ID is never given out again: one transaction finds such a row, and a later one uses it up. SQLite gives a
-- ROW_ID out again where the last row was deleted, which those who find and delete in one transaction cannot notice.

CREATE TABLE IF NOT EXISTS meta (
  name VARCHAR(64) NOT NULL PRIMARY KEY,
  value VARCHAR(255) NOT NULL
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS signing_key (
  kid VARCHAR(64) NOT NULL PRIMARY KEY,
  algorithm VARCHAR(16) NOT NULL,
  private_pem TEXT NOT NULL
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS client (
  id ROW_ID,
  client_id VARCHAR(255) NOT NULL UNIQUE,
  client_name VARCHAR(255) NOT NULL,
  secret_hash CHAR(64),
  hmac_secret VARCHAR(255),
  jwks TEXT,
  auth_method VARCHAR(32) NOT NULL,
  allow_introspection INTEGER NOT NULL,
  require_pkce INTEGER NOT NULL,
  active INTEGER NOT NULL
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS client_scope (
  owner_id BIGINT NOT NULL,
  scope VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner_id, scope),
  FOREIGN KEY (owner_id) REFERENCES client (id)
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS client_grant_type (
  owner_id BIGINT NOT NULL,
  grant_type VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner_id, grant_type),
  FOREIGN KEY (owner_id) REFERENCES client (id)
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS client_redirect_uri (
  owner_id BIGINT NOT NULL,
  redirect_uri VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner_id, redirect_uri),
  FOREIGN KEY (owner_id) REFERENCES client (id)
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS client_last_used (
  client_id BIGINT NOT NULL PRIMARY KEY,
  last_used CHAR(10) NOT NULL,
  FOREIGN KEY (client_id) REFERENCES client (id)
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS account (
  id ROW_ID,
  uuid CHAR(36) NOT NULL UNIQUE,
  username VARCHAR(128) NOT NULL UNIQUE,
  password_hash CHAR(64) NOT NULL,
  given_name VARCHAR(64) NOT NULL,
  family_name VARCHAR(64) NOT NULL,
  email VARCHAR(128) NOT NULL,
  active INTEGER NOT NULL
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS saved_user_auth (
  id ROW_ID,
  name VARCHAR(128) NOT NULL,
  authenticated INTEGER NOT NULL,
  source_class VARCHAR(255) NOT NULL
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS saved_user_auth_authority (
  owner_id BIGINT NOT NULL,
  authority VARCHAR(64) NOT NULL,
  PRIMARY KEY (owner_id, authority),
  FOREIGN KEY (owner_id) REFERENCES saved_user_auth (id) ON DELETE CASCADE
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS authentication_holder (
  id ROW_ID,
  client_id VARCHAR(255) NOT NULL,
  user_auth_id BIGINT,
  approved INTEGER NOT NULL,
  redirect_uri VARCHAR(2048),
  FOREIGN KEY (user_auth_id) REFERENCES saved_user_auth (id)
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS authentication_holder_scope (
  owner_id BIGINT NOT NULL,
  scope VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner_id, scope),
  FOREIGN KEY (owner_id) REFERENCES authentication_holder (id) ON DELETE CASCADE
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS authentication_holder_authority (
  owner_id BIGINT NOT NULL,
  authority VARCHAR(64) NOT NULL,
  PRIMARY KEY (owner_id, authority),
  FOREIGN KEY (owner_id) REFERENCES authentication_holder (id) ON DELETE CASCADE
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS authentication_holder_request_parameter (
  owner_id BIGINT NOT NULL,
  param VARCHAR(64) NOT NULL,
  val VARCHAR(2048) NOT NULL,
  PRIMARY KEY (owner_id, param),
  FOREIGN KEY (owner_id) REFERENCES authentication_holder (id) ON DELETE CASCADE
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS refresh_token (
  id LASTING_ID,
  token_value_hash CHAR(64) NOT NULL UNIQUE,
  token_value VARCHAR(512) NOT NULL,
  expiration BIGINT,
  client_id BIGINT NOT NULL,
  auth_holder_id BIGINT NOT NULL,
  FOREIGN KEY (client_id) REFERENCES client (id),
  FOREIGN KEY (auth_holder_id) REFERENCES authentication_holder (id)
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS access_token (
  id ROW_ID,
  token_value_hash CHAR(64) NOT NULL UNIQUE,
  token_value TEXT NOT NULL,
  token_type VARCHAR(16) NOT NULL,
  expiration BIGINT NOT NULL,
  refresh_token_id BIGINT,
  client_id BIGINT NOT NULL,
  auth_holder_id BIGINT NOT NULL,
  FOREIGN KEY (refresh_token_id) REFERENCES refresh_token (id) ON DELETE SET NULL,
  FOREIGN KEY (client_id) REFERENCES client (id),
  FOREIGN KEY (auth_holder_id) REFERENCES authentication_holder (id)
) TABLE_OPTIONS;

CREATE INDEX IF NOT EXISTS access_token_by_refresh_token ON access_token (refresh_token_id)
  WHERE refresh_token_id IS NOT NULL;

CREATE TABLE IF NOT EXISTS token_scope (
  owner_id BIGINT NOT NULL,
  scope VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner_id, scope),
  FOREIGN KEY (owner_id) REFERENCES access_token (id) ON DELETE CASCADE
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS revoked_access_token (
  token_value_hash CHAR(64) NOT NULL PRIMARY KEY,
  expiration BIGINT NOT NULL
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS authorization_code (
  id LASTING_ID,
  code_hash CHAR(64) NOT NULL UNIQUE,
  expiration BIGINT NOT NULL,
  auth_holder_id BIGINT NOT NULL,
  FOREIGN KEY (auth_holder_id) REFERENCES authentication_holder (id)
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS device_code (
  id LASTING_ID,
  device_code_hash CHAR(64) NOT NULL UNIQUE,
  user_code VARCHAR(16) NOT NULL UNIQUE,
  expiration BIGINT NOT NULL,
  client_id VARCHAR(255) NOT NULL,
  status VARCHAR(16) NOT NULL,
  auth_holder_id BIGINT,
  FOREIGN KEY (auth_holder_id) REFERENCES authentication_holder (id)
) TABLE_OPTIONS;

CREATE TABLE IF NOT EXISTS device_code_scope (
  owner_id BIGINT NOT NULL,
  scope VARCHAR(255) NOT NULL,
  PRIMARY KEY (owner_id, scope),
  FOREIGN KEY (owner_id) REFERENCES device_code (id) ON DELETE CASCADE
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS approved_site (
  username VARCHAR(128) NOT NULL,
  client_id VARCHAR(255) NOT NULL,
  scope VARCHAR(255) NOT NULL,
  PRIMARY KEY (username, client_id, scope)
) CHILD_OPTIONS;

CREATE TABLE IF NOT EXISTS web_session (
  session_hash CHAR(64) NOT NULL PRIMARY KEY,
  expiration BIGINT NOT NULL,
  data TEXT NOT NULL
) TABLE_OPTIONS;
