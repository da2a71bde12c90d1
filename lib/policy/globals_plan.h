// What a server needs to have a backup's globals: the statements that make what is missing, and
// what is there but otherwise. What is there is never changed.
#pragma once

#include <string>
#include <vector>

#include "base/secret.h"
#include "pg/globals.h"

namespace bkp {

struct GlobalsStatement {
  std::string sql;         // as people see it: a password is '****'
  Secret hidden;           // what is sent in its place where it holds a password
  bool may_fail = false;   // refused, it is told and the rest goes on: settings, labels
  std::string about = {};  // of one that may fail: "setting 'work_mem' of role 'anna'"
};
using GlobalsStatements = std::vector<GlobalsStatement>;

struct TablespacePlan {
  std::string name, location;
  GlobalsStatements before;  // for the session, outside of a transaction
  GlobalsStatement create;   // takes no transaction either
  GlobalsStatements then;    // in one transaction
};

struct GlobalsDifference {
  std::string what;  // "role 'anna': CREATEDB in the backup, NOCREATEDB here"
  std::string sql;   // what would make it as in the backup; empty where that needs a password
};

struct GlobalsPlan {
  // In one transaction; those with passwords last.
  GlobalsStatements statements;
  std::vector<TablespacePlan> tablespaces;
  std::vector<std::string> roles;              // that are made
  std::vector<std::string> without_password;   // of these, those that log in and get none
  std::vector<GlobalsDifference> differences;  // left as they are
  // Wanted, but not to be had on this server without giving more or less than the backup says.
  std::vector<std::string> left_out;
};

// `there`: what the server has. The statements are for its major version.
GlobalsPlan plan_globals(const Globals& wanted, const Globals& there);

}  // namespace bkp
