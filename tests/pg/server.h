// What the tests against a server share: one cluster for all of them.
#pragma once

#include <catch2/catch.hpp>
#include <string>

#include "base/error.h"
#include "support/temporary_cluster.h"

namespace bkp {

// Started by the first test that asks.
TemporaryCluster& shared_cluster();

// Makes a database of the shared cluster, and drops it at the end of the test.
class TestDatabase {
 public:
  explicit TestDatabase(const std::string& name, const std::string& sql = {});
  ~TestDatabase();
  std::string conninfo(const std::string& user = "postgres") const {
    return shared_cluster().conninfo(name_, user);
  }
  const std::string& name() const { return name_; }

 private:
  std::string name_;
};

template <typename Action>
Error error_of(Action action) {
  try {
    action();
  } catch (const Error& error) {
    return error;
  }
  FAIL("no error");
  throw std::logic_error("unreachable");
}

}  // namespace bkp
