// A PostgreSQL cluster of its own for a test: initialised and started under /tmp, stopped and
// removed when destroyed (and when the test is killed). Trusts every
// connection that no line of its own forbids.
#pragma once

#include <sys/types.h>

#include <filesystem>
#include <string>
#include <vector>

namespace bkp {

struct TemporaryClusterOptions {
  // Where initdb, postgres, psql and pg_dump are; empty: $BKP_TEST_PG_BIN, else the newest under
  // /usr/lib/postgresql.
  std::filesystem::path bin_dir = {};
  // Lines for postgresql.conf: "wal_level = logical".
  std::vector<std::string> settings = {};
  // Further arguments for initdb.
  std::vector<std::string> initdb = {};
  // Lines before those of pg_hba.conf: "host all shop 127.0.0.1/32 scram-sha-256".
  std::vector<std::string> hba = {};
};

// Started as root, the server runs as user postgres, else as the present user. Its superuser is
// "postgres"; UTF8, C.UTF-8; fsync is off. Throws std::runtime_error with what the server said.
class TemporaryCluster {
 public:
  explicit TemporaryCluster(TemporaryClusterOptions options = {});
  ~TemporaryCluster();
  TemporaryCluster(const TemporaryCluster&) = delete;
  TemporaryCluster& operator=(const TemporaryCluster&) = delete;

  // By unix socket.
  std::string conninfo(const std::string& database = "postgres",
                       const std::string& user = "postgres") const;
  // By TCP on 127.0.0.1.
  std::string tcp_conninfo(const std::string& database = "postgres",
                           const std::string& user = "postgres") const;

  const std::filesystem::path& directory() const { return directory_; }  // owned by the server
  std::filesystem::path data_directory() const { return directory_ / "data"; }
  std::filesystem::path socket_directory() const { return directory_; }
  const std::filesystem::path& bin_dir() const { return bin_dir_; }
  int port() const { return port_; }
  pid_t pid() const { return pid_; }

  // Runs a program of bin_dir() (or of a path) as the server's user, `input` as its standard input;
  // returns its standard output. Throws std::runtime_error with its standard error.
  std::string run(std::vector<std::string> argv, const std::string& input = {}) const;
  // psql -X -v ON_ERROR_STOP=1 with `sql` as its input.
  std::string psql(const std::string& database, const std::string& sql) const;

  // Fast shutdown, or an immediate one as in a crash; start() again afterwards.
  void stop();
  void crash();
  void start();

 private:
  std::vector<std::string> as_server_user(std::vector<std::string> argv) const;
  void wait_for_end(int seconds);

  std::filesystem::path bin_dir_;
  std::filesystem::path directory_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace bkp
