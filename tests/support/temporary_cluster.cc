#include "support/temporary_cluster.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <libpq-fe.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace bkp {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

// The ones of PostgreSQL are numbers, and "9.6" is older than all that matter here.
fs::path default_bin_dir() {
  if (const char* chosen = std::getenv("BKP_TEST_PG_BIN")) return chosen;
  int newest = 0;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", ignored))
    if (fs::exists(entry.path() / "bin" / "initdb"))
      newest = std::max(newest, std::atoi(entry.path().filename().c_str()));
  if (newest == 0) throw std::runtime_error("no PostgreSQL server under /usr/lib/postgresql");
  return fs::path("/usr/lib/postgresql") / std::to_string(newest) / "bin";
}

int free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  const bool bound = ::bind(fd, reinterpret_cast<sockaddr*>(&address), length) == 0 &&
                     ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length) == 0;
  ::close(fd);
  if (!bound) throw std::runtime_error("no free port");
  return ntohs(address.sin_port);
}

std::string content(const fs::path& path) {
  std::ifstream in(path);
  std::ostringstream all;
  all << in.rdbuf();
  return all.str();
}

// Files the child's three standard streams are; empty: /dev/null.
struct Streams {
  fs::path input, output, error;
};

pid_t spawn(const std::vector<std::string>& argv, const Streams& streams) {
  std::vector<char*> raw;
  for (const std::string& argument : argv) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const auto open_as = [](const fs::path& path, int flags, int as) {
    const int fd = ::open(path.empty() ? "/dev/null" : path.c_str(), flags, 0600);
    if (fd < 0 || ::dup2(fd, as) < 0) ::_exit(126);
    if (fd != as) ::close(fd);
  };
  const pid_t pid = ::fork();
  if (pid != 0) return pid;
  ::prctl(PR_SET_PDEATHSIG, SIGINT);
  ::setenv("LC_ALL", "C", 1);
  if (::chdir("/tmp") != 0) ::_exit(126);
  open_as(streams.input, O_RDONLY, 0);
  open_as(streams.output, O_WRONLY | O_CREAT | O_APPEND, 1);
  open_as(streams.error, O_WRONLY | O_CREAT | O_APPEND, 2);
  for (int fd = 3; fd < 1024; ++fd) ::close(fd);
  ::execvp(raw[0], raw.data());
  ::_exit(127);
}

bool accepts_connections(const std::string& conninfo) {
  return PQping(conninfo.c_str()) == PQPING_OK;
}

}  // namespace

TemporaryCluster::TemporaryCluster(TemporaryClusterOptions options)
    : bin_dir_(options.bin_dir.empty() ? default_bin_dir() : options.bin_dir), port_(free_port()) {
  char pattern[] = "/tmp/bkp-cluster-XXXXXX";
  if (!::mkdtemp(pattern)) throw std::runtime_error("no temporary directory under /tmp");
  directory_ = pattern;
  try {
    if (::geteuid() == 0) {
      const passwd* owner = ::getpwnam("postgres");
      if (!owner || ::chown(pattern, owner->pw_uid, owner->pw_gid) != 0)
        throw std::runtime_error("cannot give a directory to user postgres");
    }
    std::vector<std::string> initdb = {"initdb",   "-D",       data_directory(), "-U",
                                       "postgres", "--auth",   "trust",          "-E",
                                       "UTF8",     "--locale", "C.UTF-8",        "--no-sync"};
    initdb.insert(initdb.end(), options.initdb.begin(), options.initdb.end());
    run(initdb);
    std::ofstream file(data_directory() / "postgresql.conf", std::ios::app);
    file << "port = " << port_ << "\nlisten_addresses = '127.0.0.1'\nunix_socket_directories = '"
         << directory_.string()
         << "'\nfsync = off\nfull_page_writes = off\nsynchronous_commit = off\n"
            "shared_buffers = 32MB\nmax_wal_size = 256MB\nlog_min_messages = warning\n";
    for (const std::string& line : options.settings) file << line << '\n';
    file.close();
    const std::string trusting = content(data_directory() / "pg_hba.conf");
    std::ofstream hba(data_directory() / "pg_hba.conf");
    for (const std::string& line : options.hba) hba << line << '\n';
    hba << trusting;
    hba.close();
    start();
  } catch (...) {
    wait_for_end(0);
    std::error_code ignored;
    fs::remove_all(directory_, ignored);
    throw;
  }
}

TemporaryCluster::~TemporaryCluster() {
  try {
    stop();
  } catch (const std::exception&) {
    // Killed already by then; what is left is the directory.
  }
  std::error_code ignored;
  fs::remove_all(directory_, ignored);
}

std::string TemporaryCluster::conninfo(const std::string& database, const std::string& user) const {
  return "host=" + directory_.string() + " port=" + std::to_string(port_) + " user='" + user +
         "' dbname='" + database + "'";
}

std::string TemporaryCluster::tcp_conninfo(const std::string& database,
                                           const std::string& user) const {
  return "host=127.0.0.1 port=" + std::to_string(port_) + " user='" + user + "' dbname='" +
         database + "'";
}

std::vector<std::string> TemporaryCluster::as_server_user(std::vector<std::string> argv) const {
  if (argv.front().find('/') == std::string::npos) argv.front() = bin_dir_ / argv.front();
  if (::geteuid() != 0) return argv;
  // setpriv asks for the signal anew, as a change of user forgets it.
  std::vector<std::string> all = {"setpriv",        "--reuid=postgres", "--regid=postgres",
                                  "--clear-groups", "--pdeathsig=INT",  "--"};
  all.insert(all.end(), argv.begin(), argv.end());
  return all;
}

std::string TemporaryCluster::run(std::vector<std::string> argv, const std::string& input) const {
  char pattern[] = "/tmp/bkp-run-XXXXXX";
  if (!::mkdtemp(pattern)) throw std::runtime_error("no temporary directory under /tmp");
  const fs::path scratch = pattern;
  const std::unique_ptr<const fs::path, void (*)(const fs::path*)> cleanup(
      &scratch, [](const fs::path* path) { fs::remove_all(*path); });
  std::ofstream(scratch / "input", std::ios::binary) << input;
  const std::string program = argv.front();
  const pid_t child = spawn(as_server_user(std::move(argv)),
                            {scratch / "input", scratch / "output", scratch / "error"});
  int status = 0;
  ::waitpid(child, &status, 0);
  if (status != 0)
    throw std::runtime_error(program + " failed: " + content(scratch / "output") +
                             content(scratch / "error"));
  return content(scratch / "output");
}

std::string TemporaryCluster::psql(const std::string& database, const std::string& sql) const {
  return run({"psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-d", conninfo(database)},
             sql);
}

void TemporaryCluster::start() {
  const fs::path log = directory_ / "log";
  pid_ = spawn(as_server_user({"postgres", "-D", data_directory()}), {{}, log, log});
  for (int tries = 0; tries < 600; ++tries) {
    if (accepts_connections(conninfo())) return;
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      throw std::runtime_error("the server did not start: " + content(log));
    }
    std::this_thread::sleep_for(50ms);
  }
  throw std::runtime_error("the server is not ready after 30 s: " + content(log));
}

void TemporaryCluster::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGINT);
  wait_for_end(20);
}

void TemporaryCluster::crash() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGQUIT);  // the server's own way to die at once, without a checkpoint
  wait_for_end(20);
}

void TemporaryCluster::wait_for_end(int seconds) {
  if (pid_ <= 0) return;
  for (int tries = 0; tries < seconds * 50; ++tries) {
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) {
      pid_ = -1;
      return;
    }
    std::this_thread::sleep_for(20ms);
  }
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

}  // namespace bkp
