#include "server.h"

namespace bkp {

TemporaryCluster& shared_cluster() {
  static TemporaryCluster cluster({.settings = {"wal_level = logical"},
                                   .hba = {"host all secretive 127.0.0.1/32 scram-sha-256"}});
  return cluster;
}

TestDatabase::TestDatabase(const std::string& name, const std::string& sql) : name_(name) {
  shared_cluster().psql("postgres", "DROP DATABASE IF EXISTS \"" + name + "\" WITH (FORCE);\n" +
                                        "CREATE DATABASE \"" + name + "\" TEMPLATE template0");
  if (!sql.empty()) shared_cluster().psql(name, sql);
}

TestDatabase::~TestDatabase() {
  try {
    shared_cluster().psql("postgres", "DROP DATABASE IF EXISTS \"" + name_ + "\" WITH (FORCE)");
  } catch (const std::exception&) {
    // The cluster goes with the test.
  }
}

}  // namespace bkp
