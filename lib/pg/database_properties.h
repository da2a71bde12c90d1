// What belongs to a database but is in no pg_dump archive restored without -C: how it is created,
// and its owner, privileges, comment and settings.
#pragma once

#include <string>
#include <vector>

#include "pg/connection.h"

namespace bkp {

struct DatabaseSetting {
  std::string role;   // empty: ALTER DATABASE … SET
  std::string name;   // "search_path"
  std::string value;  // as pg_db_role_setting has it
  friend bool operator==(const DatabaseSetting&, const DatabaseSetting&) = default;
};

struct DatabaseProperties {
  std::string name;
  std::string owner;
  std::string encoding;  // "UTF8"
  std::string collate;
  std::string ctype;
  std::string locale_provider;  // "libc", "icu", "builtin"
  std::string locale;           // ICU or builtin locale; empty for libc
  std::string icu_rules;        // 16+
  std::string tablespace;
  std::int64_t connection_limit = -1;
  bool allow_connections = true;
  bool is_template = false;
  std::string comment;
  bool default_acl = true;       // datacl is NULL
  std::vector<std::string> acl;  // aclitem texts, as pg_database.datacl has them
  std::vector<DatabaseSetting> settings;
  std::vector<std::string> security_labels;  // "provider=label"
  std::vector<std::string> roles;            // every role that anything in the database refers to
  friend bool operator==(const DatabaseProperties&, const DatabaseProperties&) = default;
};

// Of the database that `connection` is in.
DatabaseProperties read_properties(PgConnection& connection);

// Roles of `properties` (and `more`) that the server of `connection` does not have.
std::vector<std::string> missing_roles(PgConnection& connection,
                                       const DatabaseProperties& properties,
                                       const std::vector<std::string>& more);

// The owner and those of `owners` whom the role of `connection` cannot make owners of anything.
std::vector<std::string> foreign_roles(PgConnection& connection,
                                       const DatabaseProperties& properties,
                                       const std::vector<std::string>& owners);

bool database_exists(PgConnection& connection, const std::string& name);
// CREATE DATABASE `name` FROM template0 with encoding, locale, owner and tablespace. Until
// apply_properties it refuses connections of others than its owner and superusers
// (REVOKE CONNECT … FROM PUBLIC). `connection`: in any other database of the server.
void create_database(PgConnection& connection, const std::string& name,
                     const DatabaseProperties& properties);
// Reapplies privileges, comment, connection limit, settings of database and of roles in it. Returns
// the settings that this server does not take, each as a sentence; all else is applied.
std::vector<std::string> apply_properties(PgConnection& connection, const std::string& name,
                                          const DatabaseProperties& properties);
// DROP DATABASE IF EXISTS … WITH (FORCE).
void drop_database(PgConnection& connection, const std::string& name);

}  // namespace bkp
