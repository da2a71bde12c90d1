// Real S3 servers and a faulty line to them, for the length of a test process.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

#include "base/fd.h"
#include "config/config.h"
#include "stream/process.h"

namespace bkp::test {

class S3Server {
 public:
  enum class Kind { rgw, swift };
  // Starts one on a free port (rgw takes 2 s, swift 10 to 20) and waits until it answers. It is
  // stopped by the destructor, or when this process ends in any other way.
  explicit S3Server(Kind kind);
  ~S3Server();
  S3Server(const S3Server&) = delete;
  S3Server& operator=(const S3Server&) = delete;

  // The one server of its kind in this process, started by the first call, with a bucket "bkp".
  static S3Server& rgw();
  static S3Server& swift();

  int port() const { return port_; }
  int tls_port() const { return tls_port_; }  // rgw only
  std::filesystem::path certificate() const;  // rgw only
  const std::filesystem::path& directory() const { return directory_; }
  // A storage named "s3" in that bucket, under `prefix`.
  StorageConfig config(std::string_view prefix = "") const;
  // By a signed request of our own. Throws Error.
  void create_bucket(std::string_view bucket) const;

 private:
  Kind kind_;
  TemporaryDirectory parent_;
  std::filesystem::path directory_;
  int port_ = 0;
  int tls_port_ = 0;
};

// tests/support/services/fault_proxy.py in front of a port of 127.0.0.1: see there for the modes.
class FaultProxy {
 public:
  explicit FaultProxy(int upstream_port, std::string_view mode = "pass");
  ~FaultProxy();
  int port() const { return port_; }
  // `config` with its endpoint at this proxy.
  StorageConfig in_front_of(StorageConfig config) const;
  void set_mode(std::string_view mode);
  // Requests since the mode was set.
  int requests();

 private:
  std::string command(std::string_view line);

  int port_;
  std::unique_ptr<Process> process_;
};

}  // namespace bkp::test
