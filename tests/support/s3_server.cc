#include "support/s3_server.h"

#include <fmt/format.h>
#include <unistd.h>

#include <stdexcept>

#include "storage/s3_client.h"
#include "support/scripted_server.h"

namespace bkp::test {
namespace {

namespace fs = std::filesystem;

std::string service(std::string_view file) {
  return fmt::format("{}/tests/support/services/{}", BKP_SOURCE_DIR, file);
}

std::string read_line(Process& process) {
  std::string line;
  std::byte c{};
  while (process.read(std::span(&c, 1)) == 1) {
    if (c == std::byte{'\n'}) return line;
    line += static_cast<char>(c);
  }
  throw std::runtime_error("the fault proxy ended: " + process.error_output());
}

}  // namespace

S3Server::S3Server(Kind kind)
    : kind_(kind),
      parent_(fs::temp_directory_path(), kind == Kind::rgw ? "bkp-rgw-" : "bkp-swift-"),
      directory_(parent_.path() / "server") {
  for (int attempt = 1;; ++attempt) {
    port_ = free_port();
    ProcessOptions start;
    start.argv = {service(kind == Kind::rgw ? "rgw.sh" : "swift.sh"), "start", directory_.string(),
                  std::to_string(port_)};
    if (kind == Kind::rgw) start.argv.push_back(std::to_string(tls_port_ = free_port()));
    start.environment = {{"OWNER", std::to_string(::getpid())}};
    start.output = ProcessOptions::Output::discard;
    try {
      Process(start).wait();
      return;
    } catch (const Error& error) {
      const fs::path log = directory_ / "log/start.log";
      if (attempt == 3)
        throw Error(ErrorCode::failed,
                    error.message() + "\n" + (fs::exists(log) ? read_file(log) : std::string()));
    }
  }
}

S3Server::~S3Server() {
  try {
    ProcessOptions stop;
    stop.argv = {service(kind_ == Kind::rgw ? "rgw.sh" : "swift.sh"), "stop", directory_.string()};
    Process(stop).wait();
  } catch (const std::exception&) {
    // The watcher of the owner's end stops it.
  }
}

S3Server& S3Server::rgw() {
  static S3Server server(Kind::rgw);
  static const bool made = (server.create_bucket("bkp"), true);
  static_cast<void>(made);
  return server;
}

S3Server& S3Server::swift() {
  static S3Server server(Kind::swift);
  static const bool made = (server.create_bucket("bkp"), true);
  static_cast<void>(made);
  return server;
}

fs::path S3Server::certificate() const { return directory_ / "tls.crt"; }

StorageConfig S3Server::config(std::string_view prefix) const {
  StorageConfig config;
  config.name = "s3";
  config.type = StorageType::s3;
  config.endpoint = fmt::format("http://127.0.0.1:{}", port_);
  config.region = "us-east-1";
  config.bucket = "bkp";
  config.prefix = prefix;
  config.access_key = Secret(std::string_view(kind_ == Kind::rgw ? "BKPTESTKEY" : "bkp:test"));
  config.secret_key = Secret(std::string_view("bkptestsecret"));
  return config;
}

void S3Server::create_bucket(std::string_view bucket) const {
  StorageConfig where = config();
  where.bucket = bucket;
  S3Request request;
  request.method = "PUT";
  S3Options options;
  options.tries = 20;  // Swift's servers find each other after they listen
  S3Client(where, options).send(request, fmt::format("create bucket '{}'", bucket));
}

FaultProxy::FaultProxy(int upstream_port, std::string_view mode) : port_(free_port()) {
  ProcessOptions start;
  start.argv = {service("fault_proxy.py"), std::to_string(port_), std::to_string(upstream_port),
                std::string(mode)};
  start.input = ProcessOptions::Input::pipe;
  process_ = std::make_unique<Process>(std::move(start));
  read_line(*process_);
}

FaultProxy::~FaultProxy() { process_->kill(); }

StorageConfig FaultProxy::in_front_of(StorageConfig config) const {
  config.endpoint = fmt::format("http://127.0.0.1:{}", port_);
  return config;
}

std::string FaultProxy::command(std::string_view line) {
  process_->input().write(as_bytes(fmt::format("{}\n", line)));
  return read_line(*process_);
}

void FaultProxy::set_mode(std::string_view mode) { command(fmt::format("mode {}", mode)); }

int FaultProxy::requests() { return std::stoi(command("count")); }

}  // namespace bkp::test
