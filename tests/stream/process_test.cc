#include "stream/process.h"

#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <thread>

#include "base/error.h"
#include "base/fd.h"
#include "base/interrupt.h"
#include "stream/memory_stream.h"

using namespace bkp;
using Catch::Matchers::Contains;
using Catch::Matchers::EndsWith;
using Catch::Matchers::StartsWith;

namespace {

ProcessOptions shell(const std::string& script) {
  ProcessOptions options;
  options.argv = {"sh", "-c", script};
  return options;
}

ProcessOptions shell_with_input(const std::string& script) {
  ProcessOptions options = shell(script);
  options.input = ProcessOptions::Input::pipe;
  return options;
}

bool is_alive(pid_t pid) { return ::kill(pid, 0) == 0; }

// For a process that is not our child, and that its new parent may leave a zombie.
void wait_until_gone(pid_t pid) {
  const Fd process(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0)));
  pollfd ended{process.get(), POLLIN, 0};
  if (process) ::poll(&ended, 1, -1);
}

// SIGPIPE is ignored and SIGTERM remembered for one test, in Catch's place.
class Signals {
 public:
  Signals() {
    for (const int signal : kSignals) before_.push_back(::signal(signal, SIG_DFL));
    install_signal_handlers();
  }
  ~Signals() {
    clear_interrupt();
    for (std::size_t i = 0; i < before_.size(); ++i) ::signal(kSignals[i], before_[i]);
  }
  Signals(const Signals&) = delete;
  Signals& operator=(const Signals&) = delete;

 private:
  static constexpr int kSignals[] = {SIGINT, SIGTERM, SIGPIPE};
  std::vector<sighandler_t> before_;
};

}  // namespace

TEST_CASE("a process is the source of its standard output") {
  CHECK(run_for_output(shell("printf hello")) == "hello");
  Process process(shell("head -c 3000000 /dev/zero"));
  NullSink sink;
  CHECK(copy(process, sink) == 3'000'000);
  CHECK(process.wait_status() == 0);
}

TEST_CASE("arguments reach the program as they are") {
  ProcessOptions options;
  options.argv = {"printf", "%s|", "a b", "", "$HOME;'\"", "*"};
  CHECK(run_for_output(options) == "a b||$HOME;'\"|*|");
}

TEST_CASE("the environment is the parent's with additions that win") {
  ::setenv("BKP_TEST_KEPT", "kept", 1);
  ::setenv("BKP_TEST_REPLACED", "old", 1);
  ProcessOptions options = shell("echo $BKP_TEST_KEPT $BKP_TEST_REPLACED $BKP_TEST_NEW; env");
  options.environment = {{"BKP_TEST_REPLACED", "new"}, {"BKP_TEST_NEW", "a=b"}};
  const std::string output = run_for_output(options);
  CHECK_THAT(output, StartsWith("kept new a=b\n"));
  CHECK_THAT(output, !Contains("BKP_TEST_REPLACED=old"));
}

TEST_CASE("a failed program's stream never ends well") {
  const struct {
    std::string script, message;
  } rows[] = {
      {"echo data; exit 1", "sh failed with exit status 1"},
      {"echo data; echo 'no such table' >&2; exit 3",
       "sh failed with exit status 3: no such table"},
      {"echo data; kill -9 $$", "sh was killed by signal 9"},
      {"echo data; echo dying >&2; kill -TERM $$", "sh was killed by signal 15: dying"},
      {"exec >&-; exit 7", "sh failed with exit status 7"},
  };
  for (const auto& row : rows) {
    Process process(shell(row.script));
    NullSink sink;
    CHECK_THROWS_WITH(copy(process, sink), row.message);
    CHECK_THROWS_WITH(process.wait(), row.message);
  }
}

TEST_CASE("the exit status is told as a shell tells it") {
  CHECK(Process(shell("exit 0")).wait_status() == 0);
  CHECK(Process(shell("exit 42")).wait_status() == 42);
  CHECK(Process(shell("kill -9 $$")).wait_status() == 137);
}

TEST_CASE("a program that cannot be started is an error with exec's reason") {
  ProcessOptions options;
  options.argv = {"bkp-no-such-program"};
  CHECK_THROWS_WITH(Process(options),
                    "cannot start 'bkp-no-such-program': No such file or directory");
  options.argv = {"/etc/passwd"};
  CHECK_THROWS_WITH(Process(options), "cannot start '/etc/passwd': Permission denied");
  options.argv = {};
  CHECK_THROWS_AS(Process(options), Error);
}

TEST_CASE("the last 16 KiB of standard error are kept, the last lines make the message") {
  Process process(
      shell("i=0; while [ $i -lt 5000 ]; do echo line $i >&2; i=$((i+1)); done; exit 1"));
  std::string message;
  try {
    process.wait();
  } catch (const Error& error) {
    message = error.message();
  }
  CHECK_THAT(message, EndsWith("line 4999"));
  CHECK_THAT(message, Contains("line 4990\n"));
  CHECK(message.size() < 400);
  CHECK(process.error_output().size() == 16384);
  CHECK_THAT(process.error_output(), EndsWith("line 4999\n"));
}

TEST_CASE("a full standard error does not block the program") {
  Process process(shell("head -c 1000000 /dev/zero >&2; echo out"));
  CHECK(to_string(read_all(process, 100)) == "out\n");
}

TEST_CASE("standard error is complete although a grandchild holds it open") {
  Process process(shell("echo early >&2; sleep 1000 >/dev/null & echo $!"));
  const pid_t grandchild = std::stoi(to_string(read_all(process, 100)));
  CHECK(process.error_output() == "early\n");
  ::kill(grandchild, SIGKILL);
}

TEST_CASE("what is written to input() reaches the program, finish() ends it") {
  Process process(shell_with_input("cat"));
  std::thread writer([&process] {
    for (int i = 0; i < 100; ++i) process.input().write(Bytes(50'000, std::byte{'x'}));
    process.input().finish();
  });
  NullSink sink;
  CHECK(copy(process, sink) == 5'000'000);
  writer.join();
}

TEST_CASE("without an input pipe the program's standard input is empty") {
  CHECK(run_for_output(shell("cat; echo end")) == "end\n");
  Process process(shell("true"));
  CHECK_THROWS_AS(process.input(), Error);
}

TEST_CASE("writing to a program that ended tells how it ended") {
  const Signals signals;
  const struct {
    std::string script, message;
  } rows[] = {
      {"exec <&-; echo 'relation exists' >&2; exit 1",
       "sh ended before it had read all of its input: sh failed with exit status 1: "
       "relation exists"},
      {"exit 0", "sh ended before it had read all of its input"},
      {"kill -9 $$", "sh ended before it had read all of its input: sh was killed by signal 9"},
  };
  for (const auto& row : rows) {
    Process process(shell_with_input(row.script));
    const Bytes data(100'000);
    CHECK_THROWS_WITH(
        [&] {
          for (;;) process.input().write(data);
        }(),
        row.message);
  }
}

TEST_CASE("a destroyed process is killed before its input ends") {
  const TemporaryDirectory directory("/tmp", "bkp-test-");
  const std::string mark = (directory.path() / "mark").string();
  pid_t pid = 0;
  {
    Process process(shell_with_input("cat >/dev/null; touch " + mark));
    process.input().write(as_bytes("half of it"));
    pid = process.pid();
  }
  CHECK_FALSE(is_alive(pid));
  CHECK_FALSE(std::filesystem::exists(mark));
}

TEST_CASE("a process that ignores SIGTERM is destroyed all the same") {
  pid_t pid = 0;
  {
    Process process(shell("trap '' TERM; echo ready; while :; do sleep 0.05; done"));
    Bytes buffer(100);
    REQUIRE(process.read(buffer) > 0);
    pid = process.pid();
  }
  CHECK_FALSE(is_alive(pid));
}

TEST_CASE("kill() ends the program at once and is harmless afterwards") {
  Process process(shell("sleep 1000"));
  process.kill();
  CHECK(process.wait_status() == 137);
  process.kill();
}

TEST_CASE("SIGTERM ends a wait for output, for input and for the end") {
  const Signals signals;
  const auto stopped = [](auto wait) {
    std::thread sender([] { ::kill(::getpid(), SIGTERM); });
    CHECK_THROWS_WITH(wait(), "stopped by SIGTERM");
    sender.join();
    clear_interrupt();
  };
  Process silent(shell_with_input("sleep 1000"));
  Bytes buffer(100);
  stopped([&] { silent.read(buffer); });
  stopped([&] { silent.wait(); });
  stopped([&] {
    for (;;) silent.input().write(buffer);
  });
}

TEST_CASE("a program stopped by the signal that stops bkp is not what failed") {
  const Signals signals;
  Process process(shell("exit 1"));
  REQUIRE(process.wait_status() == 1);
  ::raise(SIGINT);
  CHECK_THROWS_WITH(process.wait(), "stopped by SIGINT");
  clear_interrupt();
}

TEST_CASE("the program starts with default signals") {
  const Signals signals;
  // Bit n - 1 of the masks is signal n: none blocked, SIGPIPE (13) not ignored.
  const std::string status = run_for_output(shell("grep -E '^Sig(Blk|Ign)' /proc/self/status"));
  CHECK_THAT(status, Contains("SigBlk:\t0000000000000000"));
  const auto ignored = std::stoull(status.substr(status.find("SigIgn:") + 8), nullptr, 16);
  CHECK((ignored & (1U << (SIGPIPE - 1))) == 0);
}

TEST_CASE("the program has no file of ours but its three streams") {
  const Fd leaky(::dup(STDERR_FILENO));                               // without O_CLOEXEC
  CHECK(run_for_output(shell("ls /proc/self/fd | wc -l")) == "4\n");  // and the listing's own
}

TEST_CASE("a program outlives the thread that started it") {
  std::unique_ptr<Process> process;
  std::thread([&process] { process = std::make_unique<Process>(shell_with_input("cat")); }).join();
  process->input().write(as_bytes("still there"));
  process->input().finish();
  CHECK(to_string(read_all(*process, 100)) == "still there");
}

TEST_CASE("a program dies with the process that started it") {
  int fds[2];
  REQUIRE(::pipe(fds) == 0);
  const pid_t parent = ::fork();
  if (parent == 0) {
    Process process(shell("sleep 1000"));
    const pid_t pid = process.pid();
    static_cast<void>(!::write(fds[1], &pid, sizeof pid));
    ::raise(SIGKILL);
  }
  pid_t pid = 0;
  REQUIRE(::read(fds[0], &pid, sizeof pid) == sizeof pid);
  ::waitpid(parent, nullptr, 0);
  wait_until_gone(pid);
  ::close(fds[0]);
  ::close(fds[1]);
}

TEST_CASE("run_for_output() refuses more than its limit") {
  CHECK_THROWS_WITH(run_for_output(shell("echo too long"), 5), "'sh' wrote more than 5 bytes");
}
