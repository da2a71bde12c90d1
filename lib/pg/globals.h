// What belongs to a cluster as a whole and is in no database's dump: roles, their memberships and
// settings, tablespaces, privileges on configuration parameters. Roles that come with the server
// (pg_…) are left out.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/secret.h"
#include "pg/connection.h"
#include "pg/database_properties.h"

namespace bkp {

struct GlobalRole {
  std::string name;
  bool superuser = false, inherit = true, create_role = false, create_database = false;
  bool login = false, replication = false, bypass_rls = false;
  std::int64_t connection_limit = -1;
  std::string valid_until;  // "2026-11-20T02:00:00.000000+00", "infinity"; empty: for ever
  Secret password;          // the verifier as pg_authid has it; empty: none, or not readable
  std::string comment;
  std::vector<std::string> security_labels;  // "provider=label"
};

// Up to PostgreSQL 15 there is one grant for a role and a member, with nothing but `admin`.
struct GlobalMembership {
  std::string role, member;
  std::string grantor;  // empty: a role that is gone
  bool admin = false;
  bool inherit = true, set = true;  // 16+
  friend bool operator==(const GlobalMembership&, const GlobalMembership&) = default;
};

// One entry of an access control list; an empty grantee is PUBLIC.
struct GlobalPrivilege {
  std::string grantor, grantee, privilege;
  bool grantable = false;
  friend bool operator==(const GlobalPrivilege&, const GlobalPrivilege&) = default;
};

struct GlobalTablespace {
  std::string name, owner;
  std::string location;              // not absolute: inside the data directory (15+)
  std::vector<std::string> options;  // "seq_page_cost=1.1"
  bool default_acl = true;           // spcacl is NULL
  std::vector<GlobalPrivilege> acl;  // in the server's order
  std::string comment;
  std::vector<std::string> security_labels;
};

struct GlobalParameter {  // 15+
  std::string name;
  std::vector<GlobalPrivilege> acl;
};

struct Globals {
  int major = 0;           // of the server they were read from
  std::string bootstrap;   // the superuser that initdb made: grants of other superusers are its own
  bool passwords = false;  // whether verifiers could be read
  std::vector<GlobalRole> roles;          // by name
  std::vector<DatabaseSetting> settings;  // ALTER ROLE … SET, in the server's order; role "": ALL
  std::vector<GlobalMembership> memberships;
  std::vector<GlobalTablespace> tablespaces;  // oldest first; not pg_default and pg_global
  std::vector<GlobalParameter> parameters;
};

// Whether the role of `connection` may read password verifiers in its database.
bool may_read_passwords(PgConnection& connection);

// Only reads; in the snapshot of the transaction that `connection` is in.
Globals read_globals(PgConnection& connection);

}  // namespace bkp
